// SPDX-License-Identifier: MIT
// Signals by name: kill and the shell speak of them.
#pragma once

// The number of "INT", "SIGINT" (case does not matter) or "2"; -1 when there is none.
int signal_number(const char *text);

// "INT" for SIGINT, or NULL.
const char *signal_name(int number);
