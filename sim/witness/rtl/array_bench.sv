// Products on one tensor engine, one after another: memories at its edges, what leaves it as lines of text.
//   d JOB CYCLES                     the last result left: cycles from the first one in which the engine was enabled
//   o JOB COLUMN ROW TURN VALUE      output stationary
//   w JOB COLUMN ADDRESS VALUE       weight stationary: the sum of an address of the output buffer so far
`timescale 1ns / 1ns
module array_bench #(
    parameter     NAME               = "",
    parameter int JOBS               = 1,
    parameter int DEPTH              = 1,
    parameter int PATIENCE           = 100000,
    parameter int ROWS               = 4,
    parameter int COLS               = 4,
    parameter int DATA_BITS          = 8,
    parameter int GROUP              = 4,
    parameter int TURNS              = 4,
    parameter int WORDS              = 4,
    parameter int MAC_LATENCY        = 1,
    parameter int ACCUMULATE_LATENCY = 1,
    parameter bit PAIRS_WEST         = 0,
    parameter bit SHIFTED_DRAIN      = 1,
    parameter bit CHAINED_LOAD       = 1
) (
    output logic done
);
    localparam int COUNT_BITS = 16;
    localparam int SUM_BITS = 32;
    localparam int INDEX_BITS = GROUP > 1 ? $clog2(GROUP) : 1;
    localparam int TURN_BITS = TURNS > 1 ? $clog2(TURNS) : 1;
    localparam int WORD_BITS = $clog2(WORDS + 1);
    localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int PAIR_BITS = INDEX_BITS + DATA_BITS;
    localparam int WEST_BITS = PAIRS_WEST ? PAIR_BITS : GROUP * DATA_BITS;
    localparam int NORTH_BITS = PAIRS_WEST ? GROUP * DATA_BITS : PAIR_BITS;
    localparam int STAY_BITS = PAIRS_WEST ? DATA_BITS : PAIR_BITS;
    localparam int FIELDS = 19;

    logic [31:0] jobs[0:JOBS*FIELDS-1];
    logic [ROWS*WEST_BITS-1:0] west_memory[0:DEPTH-1];
    logic [COLS*NORTH_BITS-1:0] north_memory[0:DEPTH-1];
    logic [COLS*STAY_BITS-1:0] stay_memory[0:DEPTH-1];
    initial begin
        $readmemh({NAME, "_jobs.hex"}, jobs);
        $readmemh({NAME, "_west.hex"}, west_memory);
        $readmemh({NAME, "_north.hex"}, north_memory);
        $readmemh({NAME, "_stay.hex"}, stay_memory);
    end

    logic clock, reset;
    integer job, cycle, folds;
    initial begin
        {clock, done, reset} = 3'b001;
        {job, cycle, folds} = '0;
        // A bench that is done stops its clock.
        while (!done) #1 clock = !clock;
    end

    logic [31:0] field[0:FIELDS-1];
    genvar f, r, c;
    generate
        for (f = 0; f < FIELDS; f = f + 1) begin : fields
            assign field[f] = jobs[job*FIELDS+f];
        end
    endgenerate

    logic [ROWS*COUNT_BITS-1:0] west_address;
    logic [COLS*COUNT_BITS-1:0] north_address;
    logic [ROWS*WEST_BITS-1:0] west_word;
    logic [COLS*NORTH_BITS-1:0] north_word;
    logic [COLS*STAY_BITS-1:0] stay_word;
    generate
        for (r = 0; r < ROWS; r = r + 1) begin : west_lane
            logic [ROWS*WEST_BITS-1:0] all;
            assign all = west_memory[field[16]+west_address[r*COUNT_BITS+:COUNT_BITS]];
            assign west_word[r*WEST_BITS+:WEST_BITS] = all[r*WEST_BITS+:WEST_BITS];
        end
        for (c = 0; c < COLS; c = c + 1) begin : north_lane
            logic [COLS*NORTH_BITS-1:0] all_north;
            logic [COLS*STAY_BITS-1:0] all_stay;
            assign all_north = north_memory[field[17]+north_address[c*COUNT_BITS+:COUNT_BITS]];
            assign all_stay = stay_memory[field[18]+north_address[c*COUNT_BITS+:COUNT_BITS]];
            assign north_word[c*NORTH_BITS+:NORTH_BITS] = all_north[c*NORTH_BITS+:NORTH_BITS];
            assign stay_word[c*STAY_BITS+:STAY_BITS] = all_stay[c*STAY_BITS+:STAY_BITS];
        end
    endgenerate

    logic [COLS-1:0] leaves, sums_leave;
    logic [COLS*ROW_BITS-1:0] leaving_row;
    logic [COLS*TURN_BITS-1:0] leaving_turn;
    logic [COLS*SUM_BITS-1:0] leaving, sum;
    logic [COLS*COUNT_BITS-1:0] sum_address;
    logic [ROWS*COLS-1:0] finishes;
    logic [ROWS*COLS*TURN_BITS-1:0] finished_turn;
    logic [ROWS*COLS*SUM_BITS-1:0] finished;
    logic ends_fold;
    tensor_engine #(
        .ROWS(ROWS),
        .COLS(COLS),
        .DATA_BITS(DATA_BITS),
        .SUM_BITS(SUM_BITS),
        .COUNT_BITS(COUNT_BITS),
        .GROUP(GROUP),
        .TURNS(TURNS),
        .WORDS(WORDS),
        .MAC_LATENCY(MAC_LATENCY),
        .ACCUMULATE_LATENCY(ACCUMULATE_LATENCY),
        .PAIRS_WEST(PAIRS_WEST),
        .SHIFTED_DRAIN(SHIFTED_DRAIN),
        .CHAINED_LOAD(CHAINED_LOAD)
    ) engine (
        .clock(clock),
        .reset(reset),
        .enabled(!reset),
        .weight_stationary(field[0][0]),
        .overlapped(field[1][0]),
        .last_row_fold(field[2][COUNT_BITS-1:0]),
        .last_column_fold(field[3][COUNT_BITS-1:0]),
        .last_row_turn(field[4][TURN_BITS-1:0]),
        .last_column_turn(field[5][TURN_BITS-1:0]),
        .last_tap(field[6][COUNT_BITS-1:0]),
        .last_group(field[7][COUNT_BITS-1:0]),
        .kept(field[8][COUNT_BITS-1:0]),
        .kept_of_short(field[9][COUNT_BITS-1:0]),
        .west_stride(field[10][COUNT_BITS-1:0]),
        .north_stride(field[11][COUNT_BITS-1:0]),
        .last_vector(field[12][COUNT_BITS-1:0]),
        .last_slot(field[13][COUNT_BITS-1:0]),
        .group_words(field[14][WORD_BITS-1:0]),
        .last_word(field[15][WORD_BITS-1:0]),
        .west_address(west_address),
        .west_word(west_word),
        .north_address(north_address),
        .north_word(north_word),
        .stay_word(stay_word),
        .leaves(leaves),
        .leaving_row(leaving_row),
        .leaving_turn(leaving_turn),
        .leaving(leaving),
        .finishes(finishes),
        .finished_turn(finished_turn),
        .finished(finished),
        .sums_leave(sums_leave),
        .sum_address(sum_address),
        .sum(sum),
        .ends_fold(ends_fold)
    );

    integer row, column, element;
    always @(posedge clock)
        if (reset) begin
            reset <= 0;
            cycle <= 0;
            folds <= 0;
        end else begin
            cycle <= cycle + 1;
            if (cycle > PATIENCE) $fatal(1, "%s: job %0d has not ended after %0d cycles", NAME, job, cycle);
            for (column = 0; column < COLS; column = column + 1) begin
                if (sums_leave[column])
                    $display(
                        "%s w %0d %0d %0d %0d", NAME, job, column, sum_address[column*COUNT_BITS+:COUNT_BITS],
                        $signed(sum[column*SUM_BITS+:SUM_BITS]));
                if (SHIFTED_DRAIN && !field[0][0] && leaves[column])
                    $display(
                        "%s o %0d %0d %0d %0d %0d", NAME, job, column, leaving_row[column*ROW_BITS+:ROW_BITS],
                        leaving_turn[column*TURN_BITS+:TURN_BITS], $signed(leaving[column*SUM_BITS+:SUM_BITS]));
                if (!SHIFTED_DRAIN && !field[0][0])
                    for (row = 0; row < ROWS; row = row + 1) begin
                        element = row * COLS + column;
                        if (finishes[element])
                            $display(
                                "%s o %0d %0d %0d %0d %0d", NAME, job, column, row,
                                finished_turn[element*TURN_BITS+:TURN_BITS],
                                $signed(finished[element*SUM_BITS+:SUM_BITS]));
                    end
            end
            if (ends_fold) begin
                folds <= folds + 1;
                if (folds + 1 == (field[2] + 1) * (field[3] + 1)) begin
                    $display("%s d %0d %0d", NAME, job, cycle + 1);
                    reset <= 1;
                    job   <= job + 1;
                    done  <= job + 1 == JOBS;
                end
            end
        end
endmodule
