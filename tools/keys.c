/* keys.c - wsfan keygen. */
#include <string.h>

#include "certificate.h"
#include "tool.h"

/* One FILE may be the key of all nodes or of one of them, which the program cannot know. */
static void tell(const struct options *options, const char *first) {
    bool several = options->arguments_count > 1;
    if (!several)
        printf(
            "Made %s and %s_secret. Bring both to every node: options.key_file = \"%s\"\n"
            "(echo-chat: --cert %s; wsfan: --key %s). Who has the second one gets into the mesh.\n",
            first, first, first, first, first);
    if (several || (options->arguments_count == 1 && !options->shared))
        printf("%s takes its own by options.key_file (echo-chat: --cert FILE), and\n"
               "needs its FILE and FILE_secret and nobody else's secret. Put all FILEs without "
               "_secret into one\n"
               "directory on every node: options.allow_path (echo-chat: --allow PATH).\n",
               several ? "Made. Each node" : "Or make one for each node: each");
}

int keygen_run(const struct options *options) {
    static char *usual[] = { "mesh.key" };
    char **files = options->arguments_count > 0 ? options->arguments : usual;
    int count = options->arguments_count > 0 ? options->arguments_count : 1;
    for (int i = 0; i < count; i++)
        if (files[i][0] == '\0' || files[i][strlen(files[i]) - 1] == '/') {
            complain("%s: it is no name of a file", files[i]);
            return STATUS_BAD_ARGUMENT;
        }
    for (int i = 0; i < count; i++)
        if (!certificate_make("wsfan", files[i]))
            return STATUS_FAILED;
    tell(options, files[0]);
    return STATUS_OK;
}
