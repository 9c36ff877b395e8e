// A processing element: operands that it keeps, the N-of-M selector, one multiply-accumulate a cycle, results that leave.
//
// A group vector of GROUP values meets (value, index) pairs; the index selects the value that the pair's is multiplied by.
// PAIRS_WEST says which comes from the west. Output stationary, the other operand comes from the north and results leave
// down the column or, with SHIFTED_DRAIN 0, by a wire. Weight stationary, it is the words of a bank, filled behind the
// one in use, and sums pass south. A command travels with the west operand and says what to do with it.
module processing_element #(
    parameter int DATA_BITS          = 8,
    parameter int SUM_BITS           = 32,
    parameter int GROUP              = 4,
    parameter int TURNS              = 4,
    parameter int WORDS              = 4,
    parameter int MAC_LATENCY        = 1,
    parameter int ACCUMULATE_LATENCY = 1,
    parameter bit PAIRS_WEST         = 0,
    parameter bit SHIFTED_DRAIN      = 1,
    parameter bit CHAINED_LOAD       = 1,
    parameter int INDEX_BITS         = GROUP > 1 ? $clog2(GROUP) : 1,
    parameter int TURN_BITS          = TURNS > 1 ? $clog2(TURNS) : 1,
    parameter int WORD_BITS          = $clog2(WORDS + 1),
    parameter int COMMAND_BITS       = 7 + 3 * TURN_BITS + WORD_BITS,
    parameter int VECTOR_BITS        = GROUP * DATA_BITS,
    parameter int PAIR_BITS          = INDEX_BITS + DATA_BITS,
    parameter int WEST_BITS          = PAIRS_WEST ? PAIR_BITS : VECTOR_BITS,
    parameter int NORTH_BITS         = PAIRS_WEST ? VECTOR_BITS : PAIR_BITS,
    parameter int STAY_BITS          = PAIRS_WEST ? DATA_BITS : PAIR_BITS
) (
    input  logic                         clock,
    input  logic                         reset,
    input  logic                         weight_stationary,
    // From the west, and on to the east.
    input  logic      [COMMAND_BITS-1:0] command,
    input  logic      [   WEST_BITS-1:0] west,
    output logic      [COMMAND_BITS-1:0] command_east,
    output logic      [   WEST_BITS-1:0] west_east,
    // From the north, and on to the south.
    input  logic      [  NORTH_BITS-1:0] north,
    output logic      [  NORTH_BITS-1:0] north_south,
    input  logic signed [  SUM_BITS-1:0] sum_above,
    output logic signed [  SUM_BITS-1:0] sum_south,
    // Stationary words, into the bank behind the one in use.
    input  logic                         load,
    input  logic                         load_ends,
    input  logic      [   WORD_BITS-1:0] load_word,
    input  logic      [   STAY_BITS-1:0] stays,
    input  logic      [   WORD_BITS-1:0] last_word,
    output logic      [   STAY_BITS-1:0] stays_south,
    output logic                         waits,
    output logic                         opens,
    // Results: what a PE finishes, and what shifts down its column.
    output logic                         finishes,
    output logic      [   TURN_BITS-1:0] finished_turn,
    output logic signed [  SUM_BITS-1:0] total,
    input  logic                         shifts,
    input  logic      [   TURN_BITS-1:0] shifted_turn,
    input  logic                         above_holds,
    input  logic signed [  SUM_BITS-1:0] above,
    output logic      [       TURNS-1:0] holds,
    output logic signed [  SUM_BITS-1:0] held
);
    // What the command says.
    logic issues, begins, from_above, completes, keeps_west, keeps_north;
    logic [TURN_BITS-1:0] turn, west_register, north_register;
    logic [WORD_BITS-1:0] word;
    assign {issues, begins, from_above, completes, keeps_west, keeps_north, opens, turn, west_register, north_register, word} =
        command;

    always_ff @(posedge clock) begin
        command_east <= reset ? '0 : command;
        west_east    <= west;
        north_south  <= north;
    end

    // Operands used for more than one step are kept as they come in.
    logic [WEST_BITS-1:0] west_kept[0:TURNS-1];
    logic [NORTH_BITS-1:0] north_kept[0:TURNS-1];
    logic [WEST_BITS-1:0] west_was, west_now;
    logic [NORTH_BITS-1:0] north_was, north_now;
    assign west_was  = west_kept[west_register];
    assign north_was = north_kept[north_register];
    assign west_now  = keeps_west ? west : west_was;
    assign north_now = keeps_north ? north : north_was;
    always_ff @(posedge clock) begin
        if (keeps_west) west_kept[west_register] <= west;
        if (keeps_north) north_kept[north_register] <= north;
    end

    // The bank in use, and the one behind it that is being filled.
    logic [WORDS*STAY_BITS-1:0] behind, in_use;
    // The same words a power of two apart: what picks one of them is a multiplexer then, not a shifter.
    localparam int APART = 1 << $clog2(STAY_BITS);
    logic [WORDS*APART-1:0] behind_words, in_use_words;
    genvar w;
    generate
        for (w = 0; w < WORDS; w = w + 1) begin : apart
            assign behind_words[w*APART+:APART] = APART'(behind[w*STAY_BITS+:STAY_BITS]);
            assign in_use_words[w*APART+:APART] = APART'(in_use[w*STAY_BITS+:STAY_BITS]);
        end
    endgenerate
    always_ff @(posedge clock) begin
        if (opens) in_use <= behind;
        if (reset) waits <= 0;
        else waits <= (load && load_ends) || (waits && !opens);
    end
    generate
        if (CHAINED_LOAD) begin : chain
            always_ff @(posedge clock) if (load) behind <= (WORDS*STAY_BITS)'({behind, stays});
            assign stays_south = behind_words[last_word*APART+:STAY_BITS];
        end else begin : latches
            always_ff @(posedge clock) if (load) behind[load_word*STAY_BITS+:STAY_BITS] <= stays;
            assign stays_south = stays;
        end
    endgenerate

    // The N-of-M selector. What is picked is picked of both places where it may be: a choice of whole words takes more.
    logic signed [DATA_BITS-1:0] value, selected;
    logic [INDEX_BITS-1:0] index;
    generate
        if (PAIRS_WEST) begin : pairs_from_west
            logic signed [DATA_BITS-1:0] of_bank, of_north;
            assign {index, value} = west_now;
            assign of_bank = opens ? behind_words[(word+index)*APART+:STAY_BITS] : in_use_words[(word+index)*APART+:STAY_BITS];
            assign of_north = keeps_north ? north[index*DATA_BITS+:DATA_BITS] : north_was[index*DATA_BITS+:DATA_BITS];
            assign selected = weight_stationary ? of_bank : of_north;
        end else begin : vectors_from_west
            logic [PAIR_BITS-1:0] of_bank;
            assign of_bank = opens ? behind_words[word*APART+:STAY_BITS] : in_use_words[word*APART+:STAY_BITS];
            assign {index, value} = weight_stationary ? of_bank : north_now;
            assign selected = keeps_west ? west[index*DATA_BITS+:DATA_BITS] : west_was[index*DATA_BITS+:DATA_BITS];
        end
    endgenerate

    mac_pipeline #(
        .DATA_BITS(DATA_BITS),
        .SUM_BITS(SUM_BITS),
        .TURNS(TURNS),
        .TURN_BITS(TURN_BITS),
        .MAC_LATENCY(MAC_LATENCY),
        .ACCUMULATE_LATENCY(ACCUMULATE_LATENCY)
    ) arithmetic (
        .clock(clock),
        .reset(reset),
        .issues(issues),
        .begins(begins),
        .from_above(from_above),
        .completes(completes),
        .turn(turn),
        .left(value),
        .right(selected),
        .sum_above(sum_above),
        .finishes(finishes),
        .finished_turn(finished_turn),
        .total(total)
    );
    always_ff @(posedge clock) sum_south <= total;

    generate
        if (SHIFTED_DRAIN) begin : drain
            logic signed [SUM_BITS-1:0] results[0:TURNS-1];
            logic captures;
            assign captures = finishes && !weight_stationary;
            assign held = results[shifted_turn];
            always_ff @(posedge clock) begin
                if (reset) holds <= '0;
                else begin
                    if (shifts) holds[shifted_turn] <= above_holds;
                    if (captures) holds[finished_turn] <= 1;
                end
                if (shifts) results[shifted_turn] <= above;
                if (captures) results[finished_turn] <= total;
            end
        end else begin : wires
            assign holds = '0;
            assign held  = '0;
        end
    endgenerate

`ifndef SYNTHESIS
    always @(posedge clock)
        if (!reset) begin
            if (opens && !waits) $fatal(1, "a PE opened a fold before its stationary values were in place");
            if (load && waits && !opens) $fatal(1, "a stationary value was written over one that had not been taken");
            if (SHIFTED_DRAIN && !weight_stationary && finishes && holds[finished_turn] &&
                !(shifts && shifted_turn == finished_turn && !above_holds))
                $fatal(1, "a result was captured over one that had not left");
        end
`endif
endmodule
