/* keygen.c - wsfan-keygen: `wsfan keygen` alone, for machines that have no czmq. */
#include <stdio.h>
#include <string.h>

#include "certificate.h"

enum { STATUS_FAILED = 1, STATUS_BAD_ARGUMENT = 2 };

static const char usage[] =
    "usage: wsfan-keygen FILE\n"
    "\n"
    "Makes the key of a mesh, a new pair of CURVE keys (ZeroMQ RFC 26), in two files:\n"
    "\n"
    "  FILE         the public key: for options.allow_path, or --allow of echo-chat, of other "
    "nodes\n"
    "  FILE_secret  both keys, readable by you alone: who has this file gets into the mesh\n"
    "\n"
    "A node takes both by options.key_file = FILE, echo-chat by --cert FILE. Nodes that share one\n"
    "key need nothing else. No file is ever overwritten.\n"
    "\n"
    "Exit status: 0 both files are written, 1 none is, 2 a bad argument.\n";

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0 || fflush(stdout) != 0 ? STATUS_FAILED : 0;
    const char *file = argc == 2 ? argv[1] : "";
    if (*file == '\0' || *file == '-' || file[strlen(file) - 1] == '/') {
        fputs("wsfan-keygen: it takes one argument, the name of a file; see --help\n", stderr);
        return STATUS_BAD_ARGUMENT;
    }
    return certificate_make("wsfan-keygen", file) ? 0 : STATUS_FAILED;
}
