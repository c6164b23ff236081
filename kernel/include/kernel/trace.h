// SPDX-License-Identifier: MIT
/*
 * Tracing of memory events, as /proc/trace switches it.
 */
#pragma once

struct process;
struct vmspace;

/* vm is new and p's, or about to be: mark its records, and trace it if p is traced. */
void trace_space(struct process *p, struct vmspace *vm);
