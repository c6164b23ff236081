// SPDX-License-Identifier: MIT
#pragma once

/* Run the kernel's own tests, TAP on the console; 0 when all passed. In a thread that may sleep. */
int selftest_run(void);
