/* The two files of a mesh key. */
#ifndef WSFAN_CERTIFICATE_H
#define WSFAN_CERTIFICATE_H

#include <stdbool.h>

/* Makes a new pair of keys in FILE and FILE_secret, both or none; a file that is there is not touched. False: it
 * has told why on standard error, as `program`. */
bool certificate_make(const char *program, const char *file);

#endif
