/* SPDX-License-Identifier: MIT */
/*
 * Colours of a line for a terminal. Its parts are marked while it is printed, and coloured when it is whole: until then a
 * byte is a column, and it can be measured and cut.
 */
#ifndef PERISCO_OUTPUT_PAINT_H
#define PERISCO_OUTPUT_PAINT_H

#include <stddef.h>
#include <stdint.h>

/* SGR parameters of ECMA-48 section 8.3.117. Of the eight colours, yellow is not seen on white, nor blue on black. */
#define PAINT_DIM   "2"
#define PAINT_BOLD  "1"
#define PAINT_GOOD  "32"
#define PAINT_OTHER "36"
#define PAINT_WRONG "35"
#define PAINT_BAD   "1;31" /* none is longer */

#define PAINT_PARTS  12
#define PAINT_ESCAPE "\x1b["
#define PAINT_RESET  PAINT_ESCAPE "0m"
#define PAINT_MAX    (PAINT_PARTS * (sizeof(PAINT_ESCAPE PAINT_BAD "m" PAINT_RESET) - 1)) /* bytes that a line grows by */

/* All zero is a line without marks. Invariant: n <= PAINT_PARTS; parts are in order and do not overlap. */
struct paint {
	size_t n;
	struct {
		uint8_t *from, *to;
		const char *with;
	} part[PAINT_PARTS];
};

/* What was printed between `from` and `to` is to be in this colour. NULL: as it is. What is beyond PAINT_PARTS stays as it is. */
void paint_part(struct paint *p, uint8_t *from, uint8_t *to, const char *with);

/* Colours the parts of the line that ends at `end`, and returns its new end. Marks behind `end` are without effect. */
uint8_t *paint_line(const struct paint *p, uint8_t *end);

/* The colour of a status of HTTP; and of a gRPC call. NULL: none. */
const char *paint_of_status(unsigned status);
const char *paint_of_grpc(int status);

#endif
