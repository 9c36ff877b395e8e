// When the corner of an output-stationary array issues what, fold after fold: every other PE does it later, as the command
// comes by. Slots of k one after another, in groups at each kernel position, the last of a position perhaps short; within
// a slot the turns, In within Im; then a wait, if the adder is longer than the turns are many.
module output_sequencer #(
    parameter int COUNT_BITS         = 16,
    parameter int TURN_BITS          = 2,
    parameter int WORD_BITS          = 2,
    parameter int ROWS               = 4,
    parameter int ACCUMULATE_LATENCY = 1,
    parameter bit PAIRS_WEST         = 0,
    parameter bit SHIFTED_DRAIN      = 1,
    parameter int COMMAND_BITS       = 7 + 3 * TURN_BITS + WORD_BITS
) (
    input  logic                    clock,
    input  logic                    reset,
    input  logic                    enabled,
    // The product: what there is of each, less one where it says last.
    input  logic                    overlapped,
    input  logic [  COUNT_BITS-1:0] last_row_fold,
    input  logic [  COUNT_BITS-1:0] last_column_fold,
    input  logic [   TURN_BITS-1:0] last_row_turn,
    input  logic [   TURN_BITS-1:0] last_column_turn,
    input  logic [  COUNT_BITS-1:0] last_tap,
    input  logic [  COUNT_BITS-1:0] last_group,
    input  logic [  COUNT_BITS-1:0] kept,
    input  logic [  COUNT_BITS-1:0] kept_of_short,
    input  logic [  COUNT_BITS-1:0] west_stride,       // words that a lane sends for one turn
    input  logic [  COUNT_BITS-1:0] north_stride,
    input  logic                    emptied,           // the last result of a fold leaves
    output logic                    begins_fold,
    output logic [   TURN_BITS-1:0] last_turn,
    output logic [COMMAND_BITS-1:0] command,
    output logic [  COUNT_BITS-1:0] west_address,
    output logic [  COUNT_BITS-1:0] north_address
);
    logic [COUNT_BITS-1:0] row_fold, column_fold, tap, group, slot, group_at, slot_at;
    logic [TURN_BITS-1:0] row_turn, column_turn, turn;
    logic [COUNT_BITS-1:0] west_fold, west_turn, north_fold, north_turn;
    logic [COUNT_BITS-1:0] turns, since, waited, kept_here;
    logic streaming, waiting, ended, empty, begun;

    assign turns     = (last_row_turn + COUNT_BITS'(1)) * (last_column_turn + COUNT_BITS'(1));
    assign last_turn = TURN_BITS'(turns - 1'b1);
    assign kept_here = group == last_group ? kept_of_short : kept;

    // A fold begins when the port is free and: nothing is left of the one before, or it will have left the registers.
    logic may;
    assign may = !begun || (overlapped ? !SHIFTED_DRAIN || since >= turns * ROWS : empty);
    assign begins_fold = enabled && !ended && !streaming && may;

    logic issues, turns_end, slots_end, fold_ends, first_slot, opens_group;
    assign issues      = begins_fold || (streaming && !waiting);
    assign turns_end   = row_turn == last_row_turn && column_turn == last_column_turn;
    assign slots_end   = tap == last_tap && group == last_group && slot == kept_here - 1'b1;
    assign fold_ends   = issues && turns_end && slots_end;
    assign first_slot  = slot_at == 0;
    assign opens_group = slot == 0;

    logic west_is_new, north_is_new;
    assign west_is_new  = column_turn == 0 && (PAIRS_WEST || opens_group);
    assign north_is_new = row_turn == 0 && (!PAIRS_WEST || opens_group);
    assign command = {
        issues, first_slot, 1'b0, slots_end, issues && west_is_new, issues && north_is_new, 1'b0,
        turn, row_turn, column_turn, {WORD_BITS{1'b0}}
    };
    assign west_address  = west_fold + west_turn + (PAIRS_WEST ? slot_at : group_at);
    assign north_address = north_fold + north_turn + (PAIRS_WEST ? group_at : slot_at);

    always_ff @(posedge clock)
        if (reset) begin
            {row_fold, column_fold, tap, group, slot, group_at, slot_at} <= '0;
            {row_turn, column_turn, turn} <= '0;
            {west_fold, west_turn, north_fold, north_turn} <= '0;
            {since, waited} <= '0;
            {streaming, waiting, ended, empty, begun} <= '0;
        end else begin
            since <= begins_fold ? COUNT_BITS'(1) : since + 1'b1;
            empty <= emptied || (empty && !begins_fold);
            if (begins_fold) {begun, streaming} <= 2'b11;
            if (waiting) begin
                waited  <= waited + 1'b1;
                waiting <= waited + 1'b1 != ACCUMULATE_LATENCY;
            end
            if (issues && !turns_end) begin
                turn <= turn + 1'b1;
                if (column_turn == last_column_turn) begin
                    column_turn <= '0;
                    north_turn  <= '0;
                    row_turn    <= row_turn + 1'b1;
                    west_turn   <= west_turn + west_stride;
                end else begin
                    column_turn <= column_turn + 1'b1;
                    north_turn  <= north_turn + north_stride;
                end
            end
            if (issues && turns_end) begin
                {row_turn, column_turn, turn} <= '0;
                {west_turn, north_turn} <= '0;
                waiting <= !slots_end && turns < ACCUMULATE_LATENCY;
                waited  <= turns;
                slot_at <= slot_at + 1'b1;
                slot    <= slot + 1'b1;
                if (slot == kept_here - 1'b1) begin
                    slot     <= '0;
                    group_at <= group_at + 1'b1;
                    group    <= group == last_group ? '0 : group + 1'b1;
                    if (group == last_group) tap <= tap + 1'b1;
                end
            end
            if (fold_ends) begin
                streaming <= 0;
                {tap, group, slot, group_at, slot_at} <= '0;
                column_fold <= column_fold + 1'b1;
                north_fold  <= north_fold + north_turn + north_stride;
                if (column_fold == last_column_fold) begin
                    column_fold <= '0;
                    north_fold  <= '0;
                    row_fold    <= row_fold + 1'b1;
                    west_fold   <= west_fold + west_turn + west_stride;
                    ended       <= row_fold == last_row_fold;
                end
            end
        end
endmodule
