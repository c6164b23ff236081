// SPDX-License-Identifier: MIT
/*
 * What every index of areas must do (mm/area_index.h): against a naive oracle, and counted.
 *
 *	--seed N    of the random operations
 *	--ops N     how many
 *	--cost log|root|linear
 *	            how the index says that its calls grow with the areas.  Steps are counted, not
 *	            time: the index is compiled with -fsanitize-coverage=trace-pc, so that each
 *	            basic block that runs is one.  Without the option nothing is said of the cost.
 *
 * mm/test/CMakeLists.txt builds one program of it for each index; docs/plugging.md tells how to add
 * one.
 */
#pragma once

/* The whole kit as a program. */
int kit_index_main(int argc, char **argv);
