// SPDX-License-Identifier: MIT
#pragma once

/* In an IPI: do what cpu_call_others() asks of this hart. */
void cpu_calls_run(void);

/* In an IPI: forget the translations that others wait for this hart to forget. */
void shootdown_run(void);
