// SPDX-License-Identifier: MIT
/*
 * Limits that the kernel imposes, and that programs may compile in.
 */
#pragma once

#define NAME_MAX    255
#define PATH_MAX    4096 /* with the NUL */
#define PIPE_BUF    4096
#define ARG_MAX     131072 /* guaranteed room for arguments and environment together */
#define MAX_CANON   255
#define MAX_INPUT   255
#define NGROUPS_MAX 65536
