// SPDX-License-Identifier: MIT
/*
 * close_range.
 */
#pragma once

#define CLOSE_RANGE_UNSHARE 2 /* from who shares the table, first */
#define CLOSE_RANGE_CLOEXEC 4 /* only mark them */
