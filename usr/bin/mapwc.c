// SPDX-License-Identifier: MIT
// mapwc: count lines, words and bytes through a private mapping: no read(2), no buffer, each
// page arrives by the fault of its first byte.
#include <unistd.h>

#include "lib/count.h"
#include "lib/mapfile.h"
#include "lib/util.h"

const char prog[] = "mapwc";
const char usage_args[] = "[-lwc] FILE...";

int main(int argc, char **argv)
{
	struct count_columns columns = count_options(argc, argv);
	struct counts total = {0};
	int files = argc - optind, status = 0;

	if (files == 0)
		usage();
	for (; optind < argc; optind++) {
		struct mapped_file file;
		struct counts c = {0};

		if (map_file(&file, argv[optind], false) != 0) {
			status = 1;
			continue;
		}
		count_bytes(&c, file.bytes, file.size);
		unmap_file(&file);
		count_print(&c, columns, argv[optind]);
		count_add(&total, &c);
	}
	if (files > 1)
		count_print(&total, columns, "total");
	return finish(status);
}
