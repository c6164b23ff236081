// SPDX-License-Identifier: MIT
/*
 * The page: the files of page/, which are in this program as they are, and the layout as JSON in
 * between.  It asks for nothing over a network.
 */
#include "view.h"

/* A file of page/, as it is. */
#define PART(name, file)                                                                   \
	extern const char name[], name##_end[];                                            \
	__asm__(".pushsection .rodata\n" #name ":\n.incbin \"" VIEW_PAGE file "\"\n" #name \
		"_end:\n.byte 0\n.popsection")

PART(part_head, "head.html");
PART(part_style, "style.css");
PART(part_body, "body.html");
PART(part_data, "data.js");
PART(part_map, "map.js");
PART(part_lists, "lists.js");

#define PUT(name) fwrite(name, 1, (size_t)(name##_end - name), v->out)

void view_page(struct view *v)
{
	PUT(part_head);
	fputs("<style>\n", v->out);
	PUT(part_style);
	fputs("</style>\n", v->out);
	PUT(part_body);
	fputs("<script>\n\"use strict\";\nconst image = ", v->out);
	view_json(v);
	PUT(part_data);
	PUT(part_map);
	PUT(part_lists);
	fputs("</script>\n</html>\n", v->out);
}
