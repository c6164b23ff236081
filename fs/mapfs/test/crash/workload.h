// SPDX-License-Identifier: MIT
/*
 * The workloads, numbered: each single operation on the files of the beginning (record.c) and some
 * stories, always; then sequences of two single operations, two at a time (meet.h), and long random
 * ones.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct workloads {
	uint64_t seed;
	unsigned pairs;  /* how many of two, drawn by the seed; WORKLOAD_ALL_PAIRS */
	unsigned longs;  /* how many random ones */
	unsigned length; /* operations of each of these */
};

#define WORKLOAD_ALL_PAIRS (~0u)

/* The numbers below this are in every set. */
unsigned workload_always(void);
unsigned workload_count(const struct workloads *set);

/* The text of workload `i` of the set, as record_workload() wants it. */
void workload_text(const struct workloads *set, unsigned i, char *text, size_t bytes);
