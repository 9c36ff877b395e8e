// When the results of a column shift down and out: once its last PE holds a complete fold, one a cycle.
//
// A row takes part until the results of the rows above it have passed, and then stands still: the next fold's results can
// wait in the upper rows while the lower ones still shift.
module drain_column #(
    parameter int ROWS      = 4,
    parameter int ROW_BITS  = 2,
    parameter int TURNS     = 4,
    parameter int TURN_BITS = 2
) (
    input  logic                 clock,
    input  logic                 reset,
    input  logic [TURN_BITS-1:0] last_turn,
    input  logic [    TURNS-1:0] last_row_holds,
    output logic [     ROWS-1:0] shifts,
    output logic [TURN_BITS-1:0] turn,
    output logic [ ROW_BITS-1:0] row,   // whose result leaves
    output logic                 leaves,
    output logic                 ends   // the last of the fold
);
    logic busy;
    logic [TURNS-1:0] asked;
    logic [ROW_BITS-1:0] passed;
    assign asked  = ~({TURNS{1'b1}} << last_turn << 1);
    assign leaves = busy || (last_row_holds & asked) == asked;
    assign row    = ROW_BITS'(ROWS - 1) - passed;
    assign ends   = leaves && turn == last_turn && row == 0;

    genvar r;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : enables
            assign shifts[r] = leaves && passed <= r;
        end
    endgenerate

    always_ff @(posedge clock)
        if (reset) begin
            busy   <= 0;
            turn   <= '0;
            passed <= '0;
        end else if (leaves) begin
            busy <= !ends;
            turn <= turn == last_turn ? '0 : turn + 1'b1;
            if (turn == last_turn) passed <= ends ? '0 : passed + 1'b1;
        end

`ifndef SYNTHESIS
    always @(posedge clock)
        if (!reset && leaves && !last_row_holds[turn]) $fatal(1, "a column shifted out a register that held no result");
`endif
endmodule
