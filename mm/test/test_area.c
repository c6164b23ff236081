// SPDX-License-Identifier: MIT
/* The index of areas that is linked in, through its kit. */
#include "kit_index.h"

int main(int argc, char **argv)
{
	return kit_index_main(argc, argv);
}
