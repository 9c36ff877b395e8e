// A lane of the N:M reduction engine: of every GROUP elements the KEPT largest, one element a cycle.
//
// A lane holds KEPT slots, largest magnitude first. An element is compared with all of them in its cycle; each slot then
// holds, takes the element, or takes what the slot before it held. On a tie what came first stays ahead. A magnitude is
// the bits without the sign, as an unsigned integer. Those kept leave in rising order of index while the next group comes.
module sorter #(
    parameter int WIDTH      = 16,
    parameter int GROUP      = 8,
    parameter int KEPT       = 2,
    parameter int INDEX_BITS = GROUP > 1 ? $clog2(GROUP) : 1
) (
    input  logic                  clock,
    input  logic                  reset,
    input  logic                  passes,   // a position of the group
    input  logic                  arrives,  // with an element: none comes after the end of a short group
    input  logic [     WIDTH-1:0] element,
    output logic                  leaves,
    output logic [     WIDTH-1:0] value,
    output logic [INDEX_BITS-1:0] index
);
    localparam int ENTRY = INDEX_BITS + WIDTH;

    logic [INDEX_BITS-1:0] position;
    logic [KEPT*ENTRY-1:0] slots, after, leaving;
    logic [KEPT-1:0] filled, filled_after, ahead, pending, chosen;
    logic group_ends;
    assign group_ends = passes && position == GROUP - 1;

    genvar s;
    generate
        for (s = 0; s < KEPT; s = s + 1) begin : slot
            assign ahead[s] = filled[s] && slots[s*ENTRY+:WIDTH-1] >= element[WIDTH-2:0];
            logic takes, shifts;
            if (s == 0) begin : first
                assign takes  = arrives && !ahead[s];
                assign shifts = 0;
                assign after[s*ENTRY+:ENTRY] = takes ? {position, element} : slots[s*ENTRY+:ENTRY];
                assign filled_after[s] = filled[s] || takes;
            end else begin : later
                assign takes  = arrives && !ahead[s] && ahead[s-1];
                assign shifts = arrives && !ahead[s] && !ahead[s-1];
                assign after[s*ENTRY+:ENTRY] =
                    takes ? {position, element} : shifts ? slots[(s-1)*ENTRY+:ENTRY] : slots[s*ENTRY+:ENTRY];
                assign filled_after[s] = filled[s] || takes || (shifts && filled[s-1]);
            end
        end
    endgenerate

    // Of those that have not left, the one with the lowest index.
    always_comb begin
        chosen = '0;
        leaves = 0;
        value  = '0;
        index  = '0;
        for (int k = 0; k < KEPT; k = k + 1)
            if (pending[k] && (!leaves || leaving[k*ENTRY+WIDTH+:INDEX_BITS] < index)) begin
                chosen    = '0;
                chosen[k] = 1;
                leaves    = 1;
                value     = leaving[k*ENTRY+:WIDTH];
                index     = leaving[k*ENTRY+WIDTH+:INDEX_BITS];
            end
    end

    always_ff @(posedge clock)
        if (reset) begin
            position <= '0;
            filled   <= '0;
            pending  <= '0;
        end else begin
            pending <= pending & ~chosen;
            if (passes) begin
                position <= group_ends ? '0 : position + 1'b1;
                filled   <= group_ends ? '0 : filled_after;
                slots    <= after;
                if (group_ends) begin
                    leaving <= after;
                    pending <= filled_after;
                end
            end
        end
endmodule
