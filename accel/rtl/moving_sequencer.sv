// When one row of a weight-stationary array issues what: vectors stream past the words that its PEs hold, in batches that
// they turn between; the slots of a batch one after another, at a spacing that a short last batch keeps. The row below
// begins ACCUMULATE_LATENCY cycles after this one issues the last slot of its first vector: so every sum that goes down
// meets its adder in the cycle in which it arrives.
module moving_sequencer #(
    parameter int COUNT_BITS         = 16,
    parameter int TURN_BITS          = 2,
    parameter int WORD_BITS          = 2,
    parameter int ACCUMULATE_LATENCY = 1,
    parameter bit PAIRS_WEST         = 0,
    parameter int COMMAND_BITS       = 7 + 3 * TURN_BITS + WORD_BITS
) (
    input  logic                    clock,
    input  logic                    reset,
    input  logic                    begins_fold,
    input  logic [  COUNT_BITS-1:0] last_column_fold,
    input  logic [  COUNT_BITS-1:0] last_vector,
    input  logic [   TURN_BITS-1:0] last_turn,        // of a full batch
    input  logic [  COUNT_BITS-1:0] last_slot,
    input  logic [  COUNT_BITS-1:0] kept,             // slots of a group
    input  logic [   WORD_BITS-1:0] group_words,      // what a PE holds of a group
    input  logic [  COUNT_BITS-1:0] west_stride,      // words that the lane sends for one vector
    output logic                    streaming,
    output logic                    begins_below,
    output logic [COMMAND_BITS-1:0] command,
    output logic [  COUNT_BITS-1:0] west_address
);
    logic [COUNT_BITS-1:0] vector, first_of_batch, slot, in_group, group_at;
    logic [COUNT_BITS-1:0] fold_at, batch_at, turn_at, column_fold;
    logic [TURN_BITS-1:0] turn;
    logic [WORD_BITS-1:0] word;
    logic [COUNT_BITS-1:0] waited;
    logic waiting;

    logic issues, turns_end, slots_end, fold_ends, opens_group;
    logic [COUNT_BITS-1:0] spacing;
    assign spacing     = last_turn < ACCUMULATE_LATENCY ? COUNT_BITS'(ACCUMULATE_LATENCY) : last_turn + COUNT_BITS'(1);
    assign issues      = begins_fold || (streaming && !waiting);
    assign turns_end   = turn == last_turn || vector == last_vector;
    assign slots_end   = slot == last_slot;
    assign fold_ends   = issues && turns_end && slots_end && vector == last_vector;
    assign opens_group = in_group == 0;

    assign command = {
        issues, 1'b0, slot == 0, slots_end, issues && (PAIRS_WEST || opens_group), 1'b0, issues && slot == 0 && vector == 0,
        turn, turn, {TURN_BITS{1'b0}}, word
    };
    assign west_address = fold_at + batch_at + turn_at + (PAIRS_WEST ? slot : group_at);

    delay #(
        .WIDTH (1),
        .STAGES(ACCUMULATE_LATENCY)
    ) down (
        .clock(clock),
        .reset(reset),
        .entering(issues && slots_end && vector == 0),
        .leaving(begins_below)
    );

    always_ff @(posedge clock)
        if (reset) begin
            {vector, first_of_batch, slot, in_group, group_at} <= '0;
            {fold_at, batch_at, turn_at, column_fold} <= '0;
            {turn, word, waited, waiting, streaming} <= '0;
        end else begin
            if (begins_fold) streaming <= 1;
            if (waiting) begin
                waited  <= waited + 1'b1;
                waiting <= waited + 1'b1 != spacing;
            end
            if (issues && !turns_end) begin
                turn    <= turn + 1'b1;
                vector  <= vector + 1'b1;
                turn_at <= turn_at + west_stride;
            end
            if (issues && turns_end) begin
                turn    <= '0;
                turn_at <= '0;
                if (!slots_end) begin
                    vector  <= first_of_batch;
                    waited  <= turn + COUNT_BITS'(1);
                    waiting <= turn + COUNT_BITS'(1) != spacing;
                    slot    <= slot + 1'b1;
                    if (in_group == kept - 1'b1) begin
                        in_group <= '0;
                        group_at <= group_at + 1'b1;
                        // Words of the group that is over: N pairs, one a slot, or M values.
                        word     <= PAIRS_WEST ? word + group_words : word + 1'b1;
                    end else begin
                        in_group <= in_group + 1'b1;
                        if (!PAIRS_WEST) word <= word + 1'b1;
                    end
                end else begin
                    {slot, in_group, group_at, word} <= '0;
                    vector         <= vector + 1'b1;
                    first_of_batch <= vector + 1'b1;
                    batch_at       <= batch_at + turn_at + west_stride;
                end
            end
            if (fold_ends) begin
                streaming <= 0;
                {vector, first_of_batch, batch_at} <= '0;
                column_fold <= column_fold + 1'b1;
                if (column_fold == last_column_fold) begin
                    column_fold <= '0;
                    fold_at     <= fold_at + batch_at + turn_at + west_stride;
                end
            end
        end
endmodule
