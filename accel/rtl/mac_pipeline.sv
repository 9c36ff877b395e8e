// The arithmetic of a PE: multiplier stages, adder stages, and the partial sums that it turns between.
//
// A product spends MAC_LATENCY - ACCUMULATE_LATENCY cycles in the multiplier, then meets its partial sum at the adder; the
// sum is written ACCUMULATE_LATENCY cycles later. The stages stand behind the operation for a tool to spread it over.
module mac_pipeline #(
    parameter int DATA_BITS          = 8,
    parameter int SUM_BITS           = 32,
    parameter int TURNS              = 4,
    parameter int TURN_BITS          = 2,
    parameter int MAC_LATENCY        = 1,
    parameter int ACCUMULATE_LATENCY = 1
) (
    input  logic                          clock,
    input  logic                          reset,
    input  logic                          issues,
    input  logic                          begins,      // on a sum of zero
    input  logic                          from_above,  // on the sum that the PE above made
    input  logic                          completes,
    input  logic        [  TURN_BITS-1:0] turn,
    input  logic signed [  DATA_BITS-1:0] left,
    input  logic signed [  DATA_BITS-1:0] right,
    input  logic signed [   SUM_BITS-1:0] sum_above,
    output logic                          finishes,
    output logic        [  TURN_BITS-1:0] finished_turn,
    output logic signed [   SUM_BITS-1:0] total
);
    localparam int PRODUCT_BITS = 2 * DATA_BITS;
    localparam int MARKS = TURN_BITS + 2;

    logic signed [PRODUCT_BITS-1:0] product, multiplied;
    logic [MARKS+1:0] at_adder;
    assign product = left * right;

    delay #(
        .WIDTH (MARKS + 2 + PRODUCT_BITS),
        .STAGES(MAC_LATENCY - ACCUMULATE_LATENCY)
    ) multiplier (
        .clock(clock),
        .reset(reset),
        .entering({begins, from_above, issues, completes, turn, product}),
        .leaving({at_adder, multiplied})
    );

    logic adder_begins, adder_from_above;
    logic [MARKS-1:0] adder_marks;
    assign {adder_begins, adder_from_above, adder_marks} = at_adder;

    logic signed [SUM_BITS-1:0] sums[0:TURNS-1];
    logic signed [SUM_BITS-1:0] base, kept, added;
    assign kept  = sums[adder_marks[TURN_BITS-1:0]];
    assign base  = adder_begins ? '0 : adder_from_above ? sum_above : kept;
    assign added = base + SUM_BITS'(multiplied);

    logic written, last;
    delay #(
        .WIDTH (MARKS + SUM_BITS),
        .STAGES(ACCUMULATE_LATENCY - 1)
    ) adder (
        .clock(clock),
        .reset(reset),
        .entering({adder_marks, added}),
        .leaving({written, last, finished_turn, total})
    );
    assign finishes = written && last;

    always_ff @(posedge clock) if (written) sums[finished_turn] <= total;
endmodule
