// SPDX-License-Identifier: MIT
/*
 * /proc/strace: the system calls of other processes, for strace (1). It is Mapache's own; the head
 * of kernel/linux/strace.c says how it works.
 *
 * Write "PID" to trace a process, "PID follow" to trace its children too. Read records: one when a
 * call begins, with what its pointers point to, one when it ends, and one when a process ends.
 */
#pragma once

#include <stdint.h>

enum strace_event {
	STRACE_ENTER, /* values: the arguments; shown: strings, and memory that is read */
	STRACE_EXIT,  /* values[0]: the result; shown: memory that was written */
	STRACE_GONE,  /* values[0]: the wait status of the process; tid is its pid */
};

#define STRACE_ARGS   6
#define STRACE_STRING 256 /* most bytes shown of a string, with its end if that is among them */
#define STRACE_MEMORY 64  /* and of other memory */

/* What is shown follows, argument by argument, filled up with zeros to a multiple of 8. */
struct strace_record {
	uint32_t bytes; /* of the record and what follows */
	uint32_t event;
	int32_t pid, tid;
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t number;
	int64_t values[STRACE_ARGS];
	uint16_t shown[STRACE_ARGS]; /* bytes of each argument; 0: none, or it could not be read */
	uint32_t unused;
};

#define STRACE_RECORD_MAX (sizeof(struct strace_record) + STRACE_ARGS * STRACE_STRING)
