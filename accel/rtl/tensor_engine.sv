// The tensor engine: ROWS x COLS PEs, output or weight stationary by a wire, and the control that begins their folds.
//
// Every lane of the west and north edge has a memory; the engine gives the address and has the word in the same cycle (a
// memory with a registered output would be asked a cycle ahead). One product from reset to reset, while enabled.
module tensor_engine #(
    parameter int ROWS               = 4,
    parameter int COLS               = 4,
    parameter int DATA_BITS          = 8,
    parameter int SUM_BITS           = 32,
    parameter int COUNT_BITS         = 16,
    parameter int GROUP              = 4,
    parameter int TURNS              = 4,
    parameter int WORDS              = 4,
    parameter int MAC_LATENCY        = 1,
    parameter int ACCUMULATE_LATENCY = 1,
    parameter bit PAIRS_WEST         = 0,
    parameter bit SHIFTED_DRAIN      = 1,
    parameter bit CHAINED_LOAD       = 1,
    parameter int BUFFER_DEPTH       = 256,
    parameter int INDEX_BITS         = GROUP > 1 ? $clog2(GROUP) : 1,
    parameter int TURN_BITS          = TURNS > 1 ? $clog2(TURNS) : 1,
    parameter int WORD_BITS          = $clog2(WORDS + 1),
    parameter int ROW_BITS           = ROWS > 1 ? $clog2(ROWS) : 1,
    parameter int VECTOR_BITS        = GROUP * DATA_BITS,
    parameter int PAIR_BITS          = INDEX_BITS + DATA_BITS,
    parameter int WEST_BITS          = PAIRS_WEST ? PAIR_BITS : VECTOR_BITS,
    parameter int NORTH_BITS         = PAIRS_WEST ? VECTOR_BITS : PAIR_BITS,
    parameter int STAY_BITS          = PAIRS_WEST ? DATA_BITS : PAIR_BITS
) (
    input  logic                       clock,
    input  logic                       reset,
    input  logic                       enabled,
    input  logic                       weight_stationary,
    input  logic                       overlapped,
    // The product, see output_sequencer and moving_sequencer.
    input  logic [     COUNT_BITS-1:0] last_row_fold,      // weight stationary: along k
    input  logic [     COUNT_BITS-1:0] last_column_fold,
    input  logic [      TURN_BITS-1:0] last_row_turn,      // weight stationary: of a batch of vectors
    input  logic [      TURN_BITS-1:0] last_column_turn,
    input  logic [     COUNT_BITS-1:0] last_tap,
    input  logic [     COUNT_BITS-1:0] last_group,
    input  logic [     COUNT_BITS-1:0] kept,
    input  logic [     COUNT_BITS-1:0] kept_of_short,
    input  logic [     COUNT_BITS-1:0] west_stride,
    input  logic [     COUNT_BITS-1:0] north_stride,
    input  logic [     COUNT_BITS-1:0] last_vector,
    input  logic [     COUNT_BITS-1:0] last_slot,
    input  logic [      WORD_BITS-1:0] group_words,
    input  logic [      WORD_BITS-1:0] last_word,
    // Operand memories, one a lane.
    output logic [ROWS*COUNT_BITS-1:0] west_address,
    input  logic [ ROWS*WEST_BITS-1:0] west_word,
    output logic [COLS*COUNT_BITS-1:0] north_address,
    input  logic [COLS*NORTH_BITS-1:0] north_word,
    input  logic [ COLS*STAY_BITS-1:0] stay_word,
    // Results: of a column, or of every PE where each has its own wire.
    output logic [           COLS-1:0] leaves,
    output logic [  COLS*ROW_BITS-1:0] leaving_row,
    output logic [ COLS*TURN_BITS-1:0] leaving_turn,
    output logic [  COLS*SUM_BITS-1:0] leaving,
    output logic [      ROWS*COLS-1:0] finishes,
    output logic [ROWS*COLS*TURN_BITS-1:0] finished_turn,
    output logic [ROWS*COLS*SUM_BITS-1:0]  finished,
    output logic [           COLS-1:0] sums_leave,
    output logic [COLS*COUNT_BITS-1:0] sum_address,
    output logic [  COLS*SUM_BITS-1:0] sum,
    output logic                       ends_fold           // the last result of a fold leaves
);
    localparam int COMMAND_BITS = 7 + 3 * TURN_BITS + WORD_BITS;
    localparam int LOAD_BITS = 2 + ROW_BITS + WORD_BITS + COUNT_BITS;

    // The corner of the output-stationary array.
    logic [COMMAND_BITS-1:0] corner_command;
    logic [COUNT_BITS-1:0] corner_west, corner_north;
    logic [TURN_BITS-1:0] last_turn;
    logic begins_output_fold;
    output_sequencer #(
        .COUNT_BITS(COUNT_BITS),
        .TURN_BITS(TURN_BITS),
        .WORD_BITS(WORD_BITS),
        .ROWS(ROWS),
        .ACCUMULATE_LATENCY(ACCUMULATE_LATENCY),
        .PAIRS_WEST(PAIRS_WEST),
        .SHIFTED_DRAIN(SHIFTED_DRAIN)
    ) corner (
        .clock(clock),
        .reset(reset),
        .enabled(enabled && !weight_stationary),
        .overlapped(overlapped),
        .last_row_fold(last_row_fold),
        .last_column_fold(last_column_fold),
        .last_row_turn(last_row_turn),
        .last_column_turn(last_column_turn),
        .last_tap(last_tap),
        .last_group(last_group),
        .kept(kept),
        .kept_of_short(kept_of_short),
        .west_stride(west_stride),
        .north_stride(north_stride),
        .emptied(ends_fold),
        .begins_fold(begins_output_fold),
        .last_turn(last_turn),
        .command(corner_command),
        .west_address(corner_west),
        .north_address(corner_north)
    );

    // The port that fills the stationary banks.
    logic [ROWS*COLS-1:0] waits, opens;
    logic [ROWS-1:0] first_waits, first_opens, row_streams;
    logic [ROWS:0] row_begins;
    logic [LOAD_BITS-1:0] first_load;
    logic load, load_ends;
    logic [ROW_BITS-1:0] load_row;
    logic [WORD_BITS-1:0] load_word;
    logic [COUNT_BITS-1:0] load_address;
    logic [COUNT_BITS-1:0] last_fold;
    assign last_fold = (last_row_fold + 1'b1) * (last_column_fold + 1'b1) - 1'b1;
    assign first_load = {load, load_ends, load_row, load_word, load_address};
    generate
        if (CHAINED_LOAD) begin : chain
            chain_loader #(
                .COUNT_BITS(COUNT_BITS),
                .ROWS(ROWS),
                .ROW_BITS(ROW_BITS),
                .WORD_BITS(WORD_BITS)
            ) loader (
                .clock(clock),
                .reset(reset),
                .enabled(enabled && weight_stationary),
                .overlapped(overlapped),
                .last_fold(last_fold),
                .last_word(last_word),
                .waits(first_waits),
                .opens(first_opens),
                .streaming(row_streams[0]),
                .emptied(ends_fold),
                .begins_fold(row_begins[0]),
                .load(load),
                .load_ends(load_ends),
                .load_row(load_row),
                .load_word(load_word),
                .address(load_address)
            );
        end else begin : latches
            latch_loader #(
                .COUNT_BITS(COUNT_BITS),
                .ROWS(ROWS),
                .ROW_BITS(ROW_BITS),
                .WORD_BITS(WORD_BITS)
            ) loader (
                .clock(clock),
                .reset(reset),
                .enabled(enabled && weight_stationary),
                .overlapped(overlapped),
                .last_fold(last_fold),
                .last_word(last_word),
                .waits(first_waits),
                .opens(first_opens),
                .streaming(row_streams[0]),
                .emptied(ends_fold),
                .begins_fold(row_begins[0]),
                .load(load),
                .load_ends(load_ends),
                .load_row(load_row),
                .load_word(load_word),
                .address(load_address)
            );
        end
    endgenerate

    logic [COLS-1:0] shift_ends, sums_end;
    assign ends_fold = weight_stationary ? sums_end[COLS-1] :
        SHIFTED_DRAIN ? shift_ends[COLS-1] :
        finishes[ROWS*COLS-1] && finished_turn[(ROWS*COLS-1)*TURN_BITS+:TURN_BITS] == last_turn;

    genvar r, c;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : west_edge
            logic [COMMAND_BITS-1:0] output_command, moving_command;
            logic [COUNT_BITS-1:0] output_address, moving_address;
            delay #(
                .WIDTH (COMMAND_BITS + COUNT_BITS),
                .STAGES(r)
            ) skew (
                .clock(clock),
                .reset(reset),
                .entering({corner_command, corner_west}),
                .leaving({output_command, output_address})
            );
            moving_sequencer #(
                .COUNT_BITS(COUNT_BITS),
                .TURN_BITS(TURN_BITS),
                .WORD_BITS(WORD_BITS),
                .ACCUMULATE_LATENCY(ACCUMULATE_LATENCY),
                .PAIRS_WEST(PAIRS_WEST)
            ) moving (
                .clock(clock),
                .reset(reset),
                .begins_fold(row_begins[r]),
                .last_column_fold(last_column_fold),
                .last_vector(last_vector),
                .last_turn(last_row_turn),
                .last_slot(last_slot),
                .kept(kept),
                .group_words(group_words),
                .west_stride(west_stride),
                .streaming(row_streams[r]),
                .begins_below(row_begins[r+1]),
                .command(moving_command),
                .west_address(moving_address)
            );
            logic [COMMAND_BITS-1:0] command;
            assign command = weight_stationary ? moving_command : output_command;
            assign west_address[r*COUNT_BITS+:COUNT_BITS] = weight_stationary ? moving_address : output_address;
            assign first_waits[r] = waits[r*COLS];
            assign first_opens[r] = opens[r*COLS];
        end

        for (c = 0; c < COLS; c = c + 1) begin : north_edge
            logic [COUNT_BITS-1:0] output_address, load_address_here;
            logic load_here, load_ends_here;
            logic [ROW_BITS-1:0] load_row_here;
            logic [WORD_BITS-1:0] load_word_here;
            delay #(
                .WIDTH (COUNT_BITS),
                .STAGES(c)
            ) skew (
                .clock(clock),
                .reset(reset),
                .entering(corner_north),
                .leaving(output_address)
            );
            delay #(
                .WIDTH (LOAD_BITS),
                .STAGES(c)
            ) load_skew (
                .clock(clock),
                .reset(reset),
                .entering(first_load),
                .leaving({load_here, load_ends_here, load_row_here, load_word_here, load_address_here})
            );
            assign north_address[c*COUNT_BITS+:COUNT_BITS] =
                weight_stationary ? load_address_here : output_address;
        end

        for (r = 0; r < ROWS; r = r + 1) begin : rows
            for (c = 0; c < COLS; c = c + 1) begin : columns
                localparam int P = r * COLS + c;
                // From the west and from the north: the edge of the array, or the PE that is next there.
                logic [COMMAND_BITS-1:0] command, command_east;
                logic [WEST_BITS-1:0] west, west_east;
                logic [NORTH_BITS-1:0] north, north_south;
                logic [STAY_BITS-1:0] stays, stays_south;
                logic [SUM_BITS-1:0] sum_above, sum_south, above, held;
                logic above_holds, load, shifts;
                logic [TURN_BITS-1:0] shifted_turn;
                logic [TURNS-1:0] holds;
                if (c == 0) begin : from_edge_west
                    assign command = west_edge[r].command;
                    assign west    = west_word[r*WEST_BITS+:WEST_BITS];
                end else begin : from_west
                    assign command = rows[r].columns[c-1].command_east;
                    assign west    = rows[r].columns[c-1].west_east;
                end
                if (r == 0) begin : from_edge_north
                    assign north       = north_word[c*NORTH_BITS+:NORTH_BITS];
                    assign stays       = stay_word[c*STAY_BITS+:STAY_BITS];
                    assign sum_above   = '0;
                    assign above       = '0;
                    assign above_holds = 0;
                end else begin : from_north
                    assign north       = rows[r-1].columns[c].north_south;
                    assign stays       = rows[r-1].columns[c].stays_south;
                    assign sum_above   = rows[r-1].columns[c].sum_south;
                    assign above       = rows[r-1].columns[c].held;
                    assign above_holds = rows[r-1].columns[c].shifts && rows[r-1].columns[c].holds[shifted_turn];
                end
                assign shifts       = south_edge[c].shifts[r];
                assign shifted_turn = south_edge[c].turn;
                assign load = north_edge[c].load_here && (CHAINED_LOAD || north_edge[c].load_row_here == r);
                processing_element #(
                    .DATA_BITS(DATA_BITS),
                    .SUM_BITS(SUM_BITS),
                    .GROUP(GROUP),
                    .TURNS(TURNS),
                    .WORDS(WORDS),
                    .MAC_LATENCY(MAC_LATENCY),
                    .ACCUMULATE_LATENCY(ACCUMULATE_LATENCY),
                    .PAIRS_WEST(PAIRS_WEST),
                    .SHIFTED_DRAIN(SHIFTED_DRAIN),
                    .CHAINED_LOAD(CHAINED_LOAD)
                ) element (
                    .clock(clock),
                    .reset(reset),
                    .weight_stationary(weight_stationary),
                    .command(command),
                    .west(west),
                    .command_east(command_east),
                    .west_east(west_east),
                    .north(north),
                    .north_south(north_south),
                    .sum_above(sum_above),
                    .sum_south(sum_south),
                    .load(load),
                    .load_ends(north_edge[c].load_ends_here),
                    .load_word(north_edge[c].load_word_here),
                    .stays(stays),
                    .last_word(last_word),
                    .stays_south(stays_south),
                    .waits(waits[P]),
                    .opens(opens[P]),
                    .finishes(finishes[P]),
                    .finished_turn(finished_turn[P*TURN_BITS+:TURN_BITS]),
                    .total(finished[P*SUM_BITS+:SUM_BITS]),
                    .shifts(shifts),
                    .shifted_turn(shifted_turn),
                    .above_holds(above_holds),
                    .above(above),
                    .holds(holds),
                    .held(held)
                );
            end
        end

        for (c = 0; c < COLS; c = c + 1) begin : south_edge
            localparam int BOTTOM = (ROWS - 1) * COLS + c;
            logic [ROWS-1:0] shifts;
            logic [TURN_BITS-1:0] turn;
            drain_column #(
                .ROWS(ROWS),
                .ROW_BITS(ROW_BITS),
                .TURNS(TURNS),
                .TURN_BITS(TURN_BITS)
            ) drain (
                .clock(clock),
                .reset(reset),
                .last_turn(last_turn),
                .last_row_holds(rows[ROWS-1].columns[c].holds),
                .shifts(shifts),
                .turn(turn),
                .row(leaving_row[c*ROW_BITS+:ROW_BITS]),
                .leaves(leaves[c]),
                .ends(shift_ends[c])
            );
            assign leaving_turn[c*TURN_BITS+:TURN_BITS] = turn;
            assign leaving[c*SUM_BITS+:SUM_BITS] = rows[ROWS-1].columns[c].held;
            assign sums_leave[c] = weight_stationary && finishes[BOTTOM];
            sum_buffer #(
                .COUNT_BITS(COUNT_BITS),
                .SUM_BITS(SUM_BITS),
                .DEPTH(BUFFER_DEPTH)
            ) buffer (
                .clock(clock),
                .reset(reset),
                .arrives(sums_leave[c]),
                .sum(finished[BOTTOM*SUM_BITS+:SUM_BITS]),
                .last_vector(last_vector),
                .last_column_fold(last_column_fold),
                .address(sum_address[c*COUNT_BITS+:COUNT_BITS]),
                .so_far(sum[c*SUM_BITS+:SUM_BITS]),
                .fold_ends(sums_end[c])
            );
        end
    endgenerate
endmodule
