/* wsfan-keygen: what it writes is a key for nodes and for czmq, and it writes all of it or nothing. */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wsfan/peers.h>
#include <wsfan/stats.h>
#include <wsfan/wsfan.h>

#ifdef WITH_CZMQ
#include <czmq.h>
#endif

#include "live.h"
#include "suite.h"

static char directory[64];
static char path[96]; /* of a key in it */
static char told[4096];
static mode_t mask = 022;
static rlim_t size_max = RLIM_INFINITY; /* of a file that the tool may write */

static void begin(void) {
    strcpy(directory, "/tmp/wsfan-keygen-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/mesh.key", directory);
}

static void end(void) {
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static const char *secret_of(const char *file) {
    static char name[112];
    snprintf(name, sizeof name, "%s_secret", file);
    return name;
}

/* The tool's wait status; told has what it printed. */
static int run(const char *one, const char *two) {
    int output[2]; /* a pipe: size_max is for files */
    ck_assert_int_eq(pipe(output), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rlimit limit = { size_max, size_max };
        umask(mask);
        if (setrlimit(RLIMIT_FSIZE, &limit) == 0 && dup2(output[1], 1) == 1 &&
            dup2(output[1], 2) == 2)
            execl(KEYGEN, KEYGEN, one, two, (char *)NULL);
        _exit(126);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child); /* what it prints fits into the pipe */
    close(output[1]);
    ssize_t size = read(output[0], told, sizeof told - 1);
    ck_assert_int_ge(size, 0);
    told[size] = '\0';
    close(output[0]);
    return status;
}

static int exit_status(int status) {
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void make(const char *file) {
    ck_assert_int_eq(exit_status(run(file, NULL)), 0);
    ck_assert_str_eq(told, "");
}

static unsigned files(bool hidden_too) {
    unsigned count = 0;
    DIR *stream = opendir(directory);
    ck_assert_ptr_nonnull(stream);
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 (hidden_too || entry->d_name[0] != '.');
    closedir(stream);
    return count;
}

static unsigned mode_of(const char *file) {
    struct stat status;
    ck_assert_int_eq(stat(file, &status), 0);
    return status.st_mode & 07777;
}

static void read_file(const char *file, char text[1024]) {
    FILE *stream = fopen(file, "r");
    ck_assert_ptr_nonnull(stream);
    text[fread(text, 1, 1023, stream)] = '\0';
    fclose(stream);
}

START_TEST(two_files_are_written_and_one_is_for_nobody_else) {
    char shown[1024];
    char secret[1024];
    begin();
    mask = 0;
    make(path);
    ck_assert_uint_eq(files(true), 2);
    ck_assert_uint_eq(mode_of(path), 0644);
    ck_assert_uint_eq(mode_of(secret_of(path)), 0600);
    read_file(path, shown);
    read_file(secret_of(path), secret);
    ck_assert_ptr_nonnull(strstr(shown, "    public-key = \""));
    ck_assert_ptr_null(strstr(shown, "secret-key"));
    ck_assert_ptr_nonnull(strstr(secret, strstr(shown, "    public-key = \"")));
    ck_assert_ptr_nonnull(strstr(secret, "    secret-key = \""));
    mask = 077;
    snprintf(path, sizeof path, "%s/other.key", directory);
    make(path);
    ck_assert_uint_eq(mode_of(path), 0600);
    char other[1024];
    read_file(path, other);
    ck_assert_str_ne(other, shown);
    mask = 022;
    end();
}
END_TEST

static wsfan_node *open_node(const char *key, const char *allow, const char *peer) {
    wsfan_options options = quick_options("tcp://127.0.0.1:*");
    wsfan_node *node;
    options.key_file = key;
    options.allow_path = allow;
    options.peers = &peer;
    options.peers_count = peer != NULL;
    ck_assert_int_eq(wsfan_node_open(&node, &options), WSFAN_OK);
    return node;
}

static uint32_t peers_up(wsfan_node *node) {
    wsfan_stats stats = { .struct_size = sizeof stats };
    ck_assert_int_eq(wsfan_node_get_stats(node, &stats), WSFAN_OK);
    return stats.peers_up;
}

static void meet(wsfan_node *one, wsfan_node *two) {
    WAIT(peers_up(one) == 1 && peers_up(two) == 1);
    ck_assert_int_eq(wsfan_node_close(two), WSFAN_OK);
    ck_assert_int_eq(wsfan_node_close(one), WSFAN_OK);
}

START_TEST(nodes_that_share_a_key_meet) {
    char shown[1024];
    begin();
    make(path);
    wsfan_node *one = open_node(path, NULL, NULL);
    wsfan_node *two = open_node(path, NULL, wsfan_node_endpoint(one));
    read_file(path, shown);
    ck_assert_uint_eq(strlen(wsfan_node_public_key(one)), 40);
    ck_assert_ptr_nonnull(strstr(shown, wsfan_node_public_key(one)));
    meet(one, two);
    end();
}
END_TEST

/* The directory that holds the keys themselves, too: half of a key is passed over in it. */
START_TEST(nodes_with_keys_of_their_own_meet_by_the_directory_of_both) {
    char other[96];
    begin();
    snprintf(other, sizeof other, "%s/other.key", directory);
    make(path);
    make(other);
    wsfan_node *one = open_node(path, directory, NULL);
    wsfan_node *two = open_node(other, directory, wsfan_node_endpoint(one));
    ck_assert_str_ne(wsfan_node_public_key(one), wsfan_node_public_key(two));
    meet(one, two);
    end();
}
END_TEST

START_TEST(czmq_reads_what_is_written) {
#ifdef WITH_CZMQ
    begin();
    make(path);
    wsfan_node *node = open_node(path, NULL, NULL);
    zcert_t *certificate = zcert_load(path);
    ck_assert_ptr_nonnull(certificate);
    ck_assert_str_eq(zcert_public_txt(certificate), wsfan_node_public_key(node));
    ck_assert_uint_lt(strspn(zcert_secret_txt(certificate), "0"), 40); /* zeros: it has none */
    zcert_destroy(&certificate);
    ck_assert_int_eq(wsfan_node_close(node), WSFAN_OK);
    end();
#endif
}
END_TEST

START_TEST(no_file_is_overwritten) {
    begin();
    for (int which = 0; which < 2; which++) {
        char text[1024];
        const char *precious = which == 0 ? path : secret_of(path);
        FILE *file = fopen(precious, "w");
        ck_assert(file != NULL && fputs("precious", file) >= 0 && fclose(file) == 0);
        ck_assert_int_eq(exit_status(run(path, NULL)), 1);
        ck_assert_ptr_nonnull(strstr(told, precious));
        ck_assert_ptr_nonnull(strstr(told, "nothing is overwritten"));
        ck_assert_uint_eq(files(true), 1);
        read_file(precious, text);
        ck_assert_str_eq(text, "precious");
        ck_assert_int_eq(unlink(precious), 0);
    }
    ck_assert_int_eq(symlink("nowhere", path), 0); /* nor is anything written through a link */
    ck_assert_int_eq(exit_status(run(path, NULL)), 1);
    ck_assert_uint_eq(files(true), 1);
    end();
}
END_TEST

START_TEST(where_it_fails_or_is_ended_no_key_is_left) {
    begin();
    for (size_max = 1; size_max <= 200; size_max += 199) { /* the disk is full, so to say */
        ck_assert_int_eq(exit_status(run(path, NULL)), 1);
        ck_assert_ptr_nonnull(strstr(told, "mesh.key_secret: No space left on device\n"));
        ck_assert_uint_eq(files(true), 0);
    }
    size_max = 0; /* SIGXFSZ ends it when it writes */
    int status = run(path, NULL);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    ck_assert_uint_eq(files(false), 0);
    size_max = RLIM_INFINITY;
    make(path); /* what was left is in nobody's way */
    ck_assert_uint_eq(files(false), 2);
    end();
}
END_TEST

START_TEST(what_is_wrong_is_told_and_nothing_is_left) {
    static const char *const bad[][2] = {
        { NULL, NULL }, { "a", "b" }, { "", NULL }, { "--key", NULL }, { "/tmp/", NULL }
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(exit_status(run(bad[i][0], bad[i][1])), 2);
        ck_assert_str_eq(told, "wsfan-keygen: it takes one argument, the name of a file; see "
                               "--help\n");
    }
    snprintf(path, sizeof path, "%s/nowhere/mesh.key", directory);
    ck_assert_int_eq(exit_status(run(path, NULL)), 1);
    ck_assert_ptr_nonnull(strstr(told, "mesh.key_secret: No such file or directory\n"));
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(exit_status(run(name, NULL)), 1);
    ck_assert_ptr_nonnull(strstr(told, ": File name too long\n"));
    ck_assert_uint_eq(files(true), 0);
    ck_assert_int_eq(exit_status(run("--help", NULL)), 0);
    ck_assert_int_eq(strncmp(told, "usage: wsfan-keygen FILE\n", 25), 0);
    end();
}
END_TEST

SUITE_RUN("keygen", two_files_are_written_and_one_is_for_nobody_else, nodes_that_share_a_key_meet,
          nodes_with_keys_of_their_own_meet_by_the_directory_of_both, czmq_reads_what_is_written,
          no_file_is_overwritten, where_it_fails_or_is_ended_no_key_is_left,
          what_is_wrong_is_told_and_nothing_is_left)

int main(void) {
#ifdef WITH_CZMQ
    zsys_handler_set(NULL);
#endif
    return run_suite();
}
