// When stationary words enter a column that is one rigid shift chain, and when a fold may begin that uses them.
//
// The chain moves as a whole: a new fold cannot enter before the last row has taken the one before. What enters first
// travels furthest. Other columns do what the first one does, later.
module chain_loader #(
    parameter int COUNT_BITS = 16,
    parameter int ROWS       = 4,
    parameter int ROW_BITS   = 2,
    parameter int WORD_BITS  = 2
) (
    input  logic                  clock,
    input  logic                  reset,
    input  logic                  enabled,
    input  logic                  overlapped,
    input  logic [COUNT_BITS-1:0] last_fold,
    input  logic [ WORD_BITS-1:0] last_word,
    input  logic [      ROWS-1:0] waits,       // PEs of the first column whose words were not taken
    input  logic [      ROWS-1:0] opens,       // those that take them in this cycle
    input  logic                  streaming,   // the first row has not issued all of its fold
    input  logic                  emptied,     // the last sum of a fold leaves
    output logic                  begins_fold,
    output logic                  load,
    output logic                  load_ends,
    output logic [  ROW_BITS-1:0] load_row,
    output logic [ WORD_BITS-1:0] load_word,
    output logic [COUNT_BITS-1:0] address
);
    logic [COUNT_BITS-1:0] loaded, begun, left, fold_at, position, last_position;
    assign last_position = (last_word + COUNT_BITS'(1)) * ROWS - 1'b1;
    assign load      = enabled && loaded <= last_fold && (overlapped || loaded <= left) && (position != 0 || (waits & ~opens) == 0);
    assign load_ends = position == last_position;
    assign load_row  = '0;
    assign load_word = '0;
    assign address   = fold_at + last_position - position;
    assign begins_fold = enabled && begun <= last_fold && !streaming && loaded > begun;

    always_ff @(posedge clock)
        if (reset) {loaded, begun, left, fold_at, position} <= '0;
        else begin
            if (begins_fold) begun <= begun + 1'b1;
            if (emptied) left <= left + 1'b1;
            if (load) begin
                position <= load_ends ? '0 : position + 1'b1;
                if (load_ends) begin
                    loaded  <= loaded + 1'b1;
                    fold_at <= fold_at + last_position + 1'b1;
                end
            end
        end
endmodule
