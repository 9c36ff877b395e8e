// Streams of groups through LANES sorters side by side, what leaves them as lines of text:
//   k LANE INDEX VALUE     kept, in the order in which a lane lets them out
//   d CYCLES               the last position of the last groups was taken
`timescale 1ns / 1ns
module sorter_bench #(
    parameter     NAME      = "",
    parameter int POSITIONS = 1,
    parameter int LANES     = 1,
    parameter int WIDTH     = 16,
    parameter int GROUP     = 8,
    parameter int KEPT      = 2
) (
    output logic done
);
    localparam int INDEX_BITS = GROUP > 1 ? $clog2(GROUP) : 1;
    localparam int WORD = WIDTH + 1;
    logic [LANES*WORD-1:0] stream[0:POSITIONS-1];
    initial $readmemh({NAME, "_stream.hex"}, stream);

    logic clock, reset;
    integer position;
    initial begin
        {clock, done, reset} = 3'b001;
        position = 0;
        while (!done) #1 clock = !clock;
    end

    logic [LANES*WORD-1:0] word;
    logic passes;
    assign passes = !reset && position < POSITIONS;
    assign word   = passes ? stream[position] : '0;
    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            logic leaves;
            logic [WIDTH-1:0] value;
            logic [INDEX_BITS-1:0] index;
            sorter #(
                .WIDTH(WIDTH),
                .GROUP(GROUP),
                .KEPT (KEPT)
            ) one (
                .clock(clock),
                .reset(reset),
                .passes(passes),
                .arrives(word[lane*WORD+WIDTH]),
                .element(word[lane*WORD+:WIDTH]),
                .leaves(leaves),
                .value(value),
                .index(index)
            );
            always @(posedge clock) if (!reset && leaves) $display("%s k %0d %0d %0d", NAME, lane, index, value);
        end
    endgenerate

    always @(posedge clock) begin
        reset <= 0;
        if (!reset) begin
            position <= position + 1;
            if (position == POSITIONS - 1) $display("%s d %0d", NAME, position + 1);
            // What was kept of the last groups leaves within a group's time.
            done <= position == POSITIONS + GROUP;
        end
    end
endmodule
