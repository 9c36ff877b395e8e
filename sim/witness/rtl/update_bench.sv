// Weights through one update lane, one a cycle, what leaves it as lines of text: u CYCLE WEIGHT VELOCITY COPY
`timescale 1ns / 1ns
module update_bench #(
    parameter     NAME        = "",
    parameter int WEIGHTS     = 1,
    parameter int WORD_BITS   = 32,
    parameter int FACTOR_BITS = 16,
    parameter int COPY_BITS   = 16,
    parameter int MOMENTUM    = 0,
    parameter int RATE        = 0,
    parameter int DECAY_OF_KEPT   = 0,
    parameter int DECAY_OF_PRUNED = 0
) (
    output logic done
);
    localparam int ROW = 3 * WORD_BITS + 1;
    logic [ROW-1:0] rows[0:WEIGHTS-1];
    initial $readmemh({NAME, "_rows.hex"}, rows);

    logic clock, reset;
    integer cycle, left;
    initial begin
        {clock, done, reset} = 3'b001;
        {cycle, left} = '0;
        while (!done) #1 clock = !clock;
    end

    logic arrives, kept, leaves;
    logic [WORD_BITS-1:0] weight, velocity, gradient, new_weight, new_velocity;
    logic [COPY_BITS-1:0] copy;
    assign arrives = !reset && cycle < WEIGHTS;
    assign {kept, weight, velocity, gradient} = arrives ? rows[cycle] : '0;
    update_lane #(
        .WORD_BITS(WORD_BITS),
        .FACTOR_BITS(FACTOR_BITS),
        .COPY_BITS(COPY_BITS)
    ) lane (
        .clock(clock),
        .reset(reset),
        .momentum(MOMENTUM[FACTOR_BITS-1:0]),
        .rate(RATE[FACTOR_BITS-1:0]),
        .decay_of_kept(DECAY_OF_KEPT[FACTOR_BITS-1:0]),
        .decay_of_pruned(DECAY_OF_PRUNED[FACTOR_BITS-1:0]),
        .arrives(arrives),
        .kept(kept),
        .weight(weight),
        .velocity(velocity),
        .gradient(gradient),
        .leaves(leaves),
        .new_weight(new_weight),
        .new_velocity(new_velocity),
        .copy(copy)
    );

    always @(posedge clock) begin
        reset <= 0;
        if (!reset) begin
            cycle <= cycle + 1;
            if (leaves) begin
                $display("%s u %0d %0d %0d %0d", NAME, cycle, $signed(new_weight), $signed(new_velocity), $signed(copy));
                left <= left + 1;
                done <= left + 1 == WEIGHTS;
            end
        end
    end
endmodule
