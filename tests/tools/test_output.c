/* What wsfan writes for other programs. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/tool.h"
#include "suite.h"

static char written[4096];

/* What the table writes to stdout. */
static const char *print(struct table *table) {
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
    table_print(table);
    fflush(stdout);
    ck_assert_int_ge(dup2(before, STDOUT_FILENO), 0);
    close(before);
    rewind(file);
    size_t size = fread(written, 1, sizeof written - 1, file);
    written[size] = '\0';
    fclose(file);
    return written;
}

START_TEST(a_count_is_written_with_all_its_digits) {
    static const char *const titles[] = { "CHAT", ">SESSIONS" };
    for (int json = 0; json < 2; json++) {
        struct table table = { .titles = titles, .columns = 2, .json = json };
        table_add_string(&table, "lobby");
        table_add_count(&table, 1234567);
        table_add_string(&table, "all");
        table_add_count(&table, UINT64_MAX);
        print(&table);
        ck_assert_ptr_nonnull(strstr(written, "1234567"));
        ck_assert_ptr_nonnull(strstr(written, "18446744073709551615"));
    }
}
END_TEST

START_TEST(a_name_of_any_bytes_is_one_cell_of_one_line) {
    static const char *const titles[] = { "CHAT", ">SESSIONS" };
    static const char name[] = "\x1b[2J\r\n\xff\"\\\xc2\x9b\xe2\x80\xae\xe2\x80\xa8\xd8\x9c";
    for (int json = 0; json < 2; json++) {
        struct table table = { .titles = titles, .columns = 2, .json = json };
        table_add(&table, name, sizeof name - 1);
        table_add_count(&table, 1);
        print(&table);
        unsigned lines = 0;
        for (const char *c = written; *c != '\0'; c++) {
            lines += *c == '\n';
            ck_assert((unsigned char)*c >= 0x20 || *c == '\n');
            ck_assert_uint_lt((unsigned char)*c, 0x7f);
        }
        ck_assert_uint_eq(lines, json ? 1 : 2);
    }
}
END_TEST

SUITE_MAIN("output", a_count_is_written_with_all_its_digits,
           a_name_of_any_bytes_is_one_cell_of_one_line)
