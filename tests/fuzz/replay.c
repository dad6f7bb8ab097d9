/* Gives every file of the named folders to a fuzz target, so that what was found once is tried again
 * without clang:  fuzz_NAME DIRECTORY... */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    /* Exactly so large, that a read behind the end is seen. */
    uint8_t *data = size > 0 ? malloc((size_t)size) : NULL;
    size_t got = data != NULL ? fread(data, 1, (size_t)size, file) : 0;
    fclose(file);
    LLVMFuzzerTestOneInput(data, got);
    free(data);
    return 0;
}

int main(int argc, char **argv) {
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        const struct dirent *entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] != '.' && replay_file(path) == 0)
                count++;
        }
        if (directory != NULL)
            closedir(directory);
    }
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
