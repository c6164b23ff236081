// SPDX-License-Identifier: MIT
/*
 * prctl(2): what a thread may ask about itself.
 */
#pragma once

#define PR_SET_PDEATHSIG    1
#define PR_GET_PDEATHSIG    2
#define PR_GET_DUMPABLE     3
#define PR_SET_DUMPABLE     4
#define PR_SET_NAME         15 /* at most 15 bytes, and a NUL */
#define PR_GET_NAME         16
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
