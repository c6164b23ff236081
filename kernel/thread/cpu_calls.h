// SPDX-License-Identifier: MIT
#pragma once

/* In an IPI: do what cpu_call_others() asks of this hart. */
void cpu_calls_run(void);
