// When stationary words are written into row-addressed latches, and when a fold may begin that uses them.
//
// A row is filled as soon as it has taken its own words; of the rows that wait the one that took its own first comes
// first, since it opens its next fold soonest. Overlapped folds begin no sooner than the bus was held to load one: it must
// keep up fold after fold. Other columns do what the first one does, later.
module latch_loader #(
    parameter int COUNT_BITS = 16,
    parameter int ROWS       = 4,
    parameter int ROW_BITS   = 2,
    parameter int WORD_BITS  = 2
) (
    input  logic                  clock,
    input  logic                  reset,
    input  logic                  enabled,
    input  logic                  overlapped,
    input  logic [COUNT_BITS-1:0] last_fold,
    input  logic [ WORD_BITS-1:0] last_word,
    input  logic [      ROWS-1:0] waits,       // PEs of the first column whose words were not taken
    input  logic [      ROWS-1:0] opens,       // those that take them in this cycle
    input  logic                  streaming,   // the first row has not issued all of its fold
    input  logic                  emptied,     // the last sum of a fold leaves
    output logic                  begins_fold,
    output logic                  load,
    output logic                  load_ends,
    output logic [  ROW_BITS-1:0] load_row,
    output logic [ WORD_BITS-1:0] load_word,
    output logic [COUNT_BITS-1:0] address
);
    logic [COUNT_BITS-1:0] begun, left, since, now, row_words;
    // Of each row: folds that it has loaded, words of the next, where that stands, and when it took its last words.
    logic [ROWS*COUNT_BITS-1:0] loaded, fold_at, taken;
    logic [ROWS*WORD_BITS-1:0] word;
    assign row_words = last_word + COUNT_BITS'(1);

    logic all_loaded;
    assign begins_fold = enabled && begun <= last_fold && !streaming &&
        (overlapped && begun != 0 ? since >= row_words * ROWS : all_loaded);

    logic [COUNT_BITS-1:0] row_taken, soonest;
    always_comb begin
        all_loaded = 1;
        load       = 0;
        load_row   = '0;
        soonest    = '0;
        row_taken  = '0;
        for (int r = 0; r < ROWS; r = r + 1) begin
            if (loaded[r*COUNT_BITS+:COUNT_BITS] <= begun) all_loaded = 0;
            row_taken = opens[r] ? now : taken[r*COUNT_BITS+:COUNT_BITS];
            if (enabled && loaded[r*COUNT_BITS+:COUNT_BITS] <= last_fold &&
                (overlapped || loaded[r*COUNT_BITS+:COUNT_BITS] <= left) &&
                (word[r*WORD_BITS+:WORD_BITS] != 0 || !waits[r] || opens[r]) && (!load || row_taken < soonest)) begin
                load     = 1;
                load_row = ROW_BITS'(r);
                soonest  = row_taken;
            end
        end
    end
    assign load_word = word[load_row*WORD_BITS+:WORD_BITS];
    assign load_ends = load_word == last_word;
    assign address   = fold_at[load_row*COUNT_BITS+:COUNT_BITS] + load_row * row_words + load_word;

    always_ff @(posedge clock)
        if (reset) begin
            {begun, left, since, now} <= '0;
            loaded  <= '0;
            fold_at <= '0;
            taken   <= '0;
            word    <= '0;
        end else begin
            now   <= now + 1'b1;
            since <= begins_fold ? COUNT_BITS'(1) : since + 1'b1;
            if (begins_fold) begun <= begun + 1'b1;
            if (emptied) left <= left + 1'b1;
            for (int r = 0; r < ROWS; r = r + 1) if (opens[r]) taken[r*COUNT_BITS+:COUNT_BITS] <= now;
            if (load) begin
                word[load_row*WORD_BITS+:WORD_BITS] <= load_ends ? '0 : load_word + 1'b1;
                if (load_ends) begin
                    loaded[load_row*COUNT_BITS+:COUNT_BITS]  <= loaded[load_row*COUNT_BITS+:COUNT_BITS] + 1'b1;
                    fold_at[load_row*COUNT_BITS+:COUNT_BITS] <= fold_at[load_row*COUNT_BITS+:COUNT_BITS] + row_words * ROWS;
                end
            end
        end
endmodule
