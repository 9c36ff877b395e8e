// A lane of the weight-update engine: SGD with momentum and weight decay in fixed point, a weight a cycle.
//
//   velocity' = momentum * velocity + gradient + decay * weight        weight' = weight - rate * velocity'
//
// Words are signed; factors are unsigned fractions of FACTOR_BITS bits. Every product is rounded to a word, half up; sums
// saturate. Beside the master weight leaves a copy of its upper COPY_BITS bits, rounded half up, for the next step to
// multiply by. A pruned weight may decay otherwise than a kept one (SR-STE). Three register stages.
module update_lane #(
    parameter int WORD_BITS   = 32,
    parameter int FACTOR_BITS = 16,
    parameter int COPY_BITS   = 16
) (
    input  logic                          clock,
    input  logic                          reset,
    input  logic        [FACTOR_BITS-1:0] momentum,
    input  logic        [FACTOR_BITS-1:0] rate,
    input  logic        [FACTOR_BITS-1:0] decay_of_kept,
    input  logic        [FACTOR_BITS-1:0] decay_of_pruned,
    input  logic                          arrives,
    input  logic                          kept,
    input  logic signed [  WORD_BITS-1:0] weight,
    input  logic signed [  WORD_BITS-1:0] velocity,
    input  logic signed [  WORD_BITS-1:0] gradient,
    output logic                          leaves,
    output logic signed [  WORD_BITS-1:0] new_weight,
    output logic signed [  WORD_BITS-1:0] new_velocity,
    output logic signed [  COPY_BITS-1:0] copy
);
    localparam int WIDE = WORD_BITS + FACTOR_BITS + 1;
    localparam int CUT = WORD_BITS - COPY_BITS;

    function automatic signed [WORD_BITS-1:0] scaled(input signed [WORD_BITS-1:0] word, input [FACTOR_BITS-1:0] factor);
        logic signed [WIDE-1:0] exact;
        exact  = word * $signed({1'b0, factor});
        exact  = exact + (1 << (FACTOR_BITS - 1));
        scaled = exact >>> FACTOR_BITS;
    endfunction

    function automatic signed [WORD_BITS-1:0] saturated(input signed [WORD_BITS+1:0] sum);
        if (sum[WORD_BITS+1:WORD_BITS-1] == 3'b000 || sum[WORD_BITS+1:WORD_BITS-1] == 3'b111)
            saturated = sum[WORD_BITS-1:0];
        else saturated = {sum[WORD_BITS+1], {(WORD_BITS - 1) {!sum[WORD_BITS+1]}}};
    endfunction

    // Stage 1: what the velocity is the sum of. Stage 2: the velocity. Stage 3: the weight.
    logic [1:0] on_its_way;
    logic signed [WORD_BITS-1:0] carried, decayed, slope, weight_1, weight_2, velocity_2;
    logic signed [WORD_BITS+1:0] velocity_sum, weight_sum;
    assign velocity_sum = (WORD_BITS + 2)'(carried) + (WORD_BITS + 2)'(slope) + (WORD_BITS + 2)'(decayed);
    assign weight_sum   = (WORD_BITS + 2)'(weight_2) - (WORD_BITS + 2)'(scaled(velocity_2, rate));

    always_ff @(posedge clock) begin
        {leaves, on_its_way} <= reset ? '0 : {on_its_way, arrives};
        carried      <= scaled(velocity, momentum);
        decayed      <= scaled(weight, kept ? decay_of_kept : decay_of_pruned);
        slope        <= gradient;
        weight_1     <= weight;
        velocity_2   <= saturated(velocity_sum);
        weight_2     <= weight_1;
        new_velocity <= velocity_2;
        new_weight   <= saturated(weight_sum);
    end

    logic signed [WORD_BITS:0] rounded;
    assign rounded = (WORD_BITS + 1)'(new_weight) + (1 << (CUT - 1));
    // The largest words round up to one more than a copy holds.
    assign copy = rounded[WORD_BITS] != rounded[WORD_BITS-1] ? {1'b0, {(COPY_BITS - 1) {1'b1}}} : rounded[WORD_BITS-1-:COPY_BITS];
endmodule
