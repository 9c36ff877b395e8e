// What goes in comes out STAGES cycles later; none is a wire.
module delay #(
    parameter int WIDTH  = 1,
    parameter int STAGES = 1
) (
    input  logic             clock,
    input  logic             reset,
    input  logic [WIDTH-1:0] entering,
    output logic [WIDTH-1:0] leaving
);
    generate
        if (STAGES == 0) begin : none
            assign leaving = entering;
        end else begin : some
            logic [STAGES*WIDTH-1:0] line;
            always_ff @(posedge clock)
                if (reset) line <= '0;
                else line <= (STAGES*WIDTH)'({line, entering});
            assign leaving = line[STAGES*WIDTH-1-:WIDTH];
        end
    endgenerate
endmodule
