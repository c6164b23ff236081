// SPDX-License-Identifier: MIT
/*
 * Doubles as decimal digits, exactly.
 */
#pragma once

/* The longest double has 767 significant digits (the largest subnormal's). */
#define DECIMAL_DIGITS 800

/* 0.d1 d2 d3 ... times 10^point; digits are '0'..'9', the first and the last are not '0'; zero has
 * none. */
struct decimal {
	int count;
	int point;
	char digits[DECIMAL_DIGITS];
};

/* The exact value of |x|, which is finite. */
void __decimal_from_double(struct decimal *d, double x);
/* Rounds to `keep` digits (also none, or fewer), halves to even. */
void __decimal_round(struct decimal *d, int keep);
