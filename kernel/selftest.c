// SPDX-License-Identifier: MIT
#ifdef MAPACHE_DEBUG
#include "selftest.h"
int selftest_run(void)
{
	return 0;
}
#endif
