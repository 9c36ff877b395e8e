// The output buffer below one column of a weight-stationary array: sums of the folds along k are added here.
module sum_buffer #(
    parameter int COUNT_BITS = 16,
    parameter int SUM_BITS   = 32,
    parameter int DEPTH      = 256
) (
    input  logic                         clock,
    input  logic                         reset,
    input  logic                         arrives,
    input  logic signed [  SUM_BITS-1:0] sum,
    input  logic        [COUNT_BITS-1:0] last_vector,
    input  logic        [COUNT_BITS-1:0] last_column_fold,
    output logic        [COUNT_BITS-1:0] address,     // column fold by vectors, and vector
    output logic signed [  SUM_BITS-1:0] so_far,
    output logic                         fold_ends
);
    logic [COUNT_BITS-1:0] vector, column_fold;
    logic again;  // Not the first fold along k.
    logic signed [SUM_BITS-1:0] sums[0:DEPTH-1];
    logic signed [SUM_BITS-1:0] held;
    assign held      = sums[address];
    assign so_far    = again ? held + sum : sum;
    assign fold_ends = arrives && vector == last_vector;

    always_ff @(posedge clock) begin
        if (reset) {address, vector, column_fold, again} <= '0;
        else if (arrives) begin
            address <= address + 1'b1;
            vector  <= vector + 1'b1;
            if (vector == last_vector) begin
                vector      <= '0;
                column_fold <= column_fold + 1'b1;
                if (column_fold == last_column_fold) begin
                    column_fold <= '0;
                    address     <= '0;
                    again       <= 1;
                end
            end
        end
        if (arrives) sums[address] <= so_far;
    end
endmodule
