/* output.c - text for terminals, tables, and JSON, one object a line. What comes from the mesh may hold any
 * bytes: no control character of it reaches a terminal. */
#include "tool.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void *make_room(void *old, size_t count, size_t size) {
    void *memory = realloc(old, (count > 0 ? count : 1) * size);
    if (memory == NULL) {
        complain("out of memory");
        exit(STATUS_FAILED);
    }
    return memory;
}

char *copy_text(const void *data, size_t size) {
    char *copy = make_room(NULL, size + 1, 1);
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

void complain(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fputs("wsfan: ", stderr);
    print_text(stderr, text, strlen(text));
    fputc('\n', stderr);
}

/* --------------------------------------------------------------------------------------------- UTF-8 */

/* How many bytes the character at the beginning has, 0: it is none (RFC 3629). */
static size_t character_size(const unsigned char *text, size_t size) {
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    if (text[0] < 0xC2 || text[0] > 0xF4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xF0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xED && text[1] >= 0xA0;
    bool beyond = text[0] == 0xF4 && text[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

/* Of one to three bytes. */
static unsigned code_of(const unsigned char *text, size_t length) {
    return length == 1   ? text[0]
           : length == 2 ? (text[0] & 0x1Fu) << 6 | (text[1] & 0x3Fu)
                         : (text[0] & 0x0Fu) << 12 | (text[1] & 0x3Fu) << 6 | (text[2] & 0x3Fu);
}

/* What may end a line, control a terminal, or turn the direction of what follows it: Unicode's categories Cc, Zl
 * and Zp, and its property Bidi_Control. */
static bool is_control(const unsigned char *text, size_t length) {
    unsigned code = length < 4 ? code_of(text, length) : 0xFFFD;
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x61C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

bool text_is_utf8(const void *data, size_t size) {
    const unsigned char *text = data;
    for (size_t i = 0, length; i < size; i += length)
        if ((length = character_size(text + i, size - i)) == 0)
            return false;
    return true;
}

/* ----------------------------------------------------------------------------------------- terminals */

void print_text(FILE *out, const void *data, size_t size) {
    const unsigned char *text = data;
    for (size_t i = 0; i < size;) {
        size_t length = character_size(text + i, size - i);
        if (length > 0 && !is_control(text + i, length)) {
            fwrite(text + i, 1, length, out);
            i += length;
        } else if (text[i] == '\n' || text[i] == '\t') {
            fputs(text[i] == '\n' ? "\\n" : "\\t", out);
            i++;
        } else {
            fprintf(out, "\\x%02x", text[i++]);
        }
    }
}

/* ---------------------------------------------------------------------------------------------- JSON */

static bool json_first;

void json_begin(void) {
    putchar('{');
    json_first = true;
}

static void json_value(const void *data, size_t size) {
    const unsigned char *text = data;
    putchar('"');
    for (size_t i = 0; i < size;) {
        size_t length = character_size(text + i, size - i);
        if (length == 0) {
            fputs("\\ufffd", stdout);
            i++;
        } else if (text[i] == '"' || text[i] == '\\') {
            printf("\\%c", text[i++]);
        } else if (is_control(text + i, length)) {
            printf("\\u%04x", code_of(text + i, length));
            i += length;
        } else {
            fwrite(text + i, 1, length, stdout);
            i += length;
        }
    }
    putchar('"');
}

static void json_name(const char *name) {
    if (!json_first)
        fputs(", ", stdout);
    json_first = false;
    json_value(name, strlen(name));
    fputs(": ", stdout);
}

void json_text(const char *name, const void *data, size_t size) {
    json_name(name);
    json_value(data, size);
}

void json_string(const char *name, const char *text) {
    json_text(name, text, strlen(text));
}

void json_number(const char *name, double number) {
    json_name(name);
    printf("%.6g", number);
}

void json_count(const char *name, uint64_t count) {
    json_name(name);
    printf("%" PRIu64, count);
}

void json_bool(const char *name, bool value) {
    json_name(name);
    fputs(value ? "true" : "false", stdout);
}

void json_end(void) {
    puts("}");
    fflush(stdout);
}

/* -------------------------------------------------------------------------------------------- tables */

/* A cell holds text as print_text() shows it, or with --json as it is. */
void table_add(struct table *table, const void *data, size_t size) {
    table->cells = make_room(table->cells, table->count + 1, sizeof *table->cells);
    char *cell = NULL;
    if (table->json) {
        cell = copy_text(data, size);
    } else {
        size_t shown;
        FILE *out = open_memstream(&cell, &shown);
        if (out != NULL) {
            print_text(out, data, size);
            fclose(out);
        }
        cell = cell != NULL ? cell : copy_text("", 0);
    }
    table->cells[table->count++] = cell;
}

void table_add_string(struct table *table, const char *text) {
    table_add(table, text, strlen(text));
}

void table_add_count(struct table *table, uint64_t count) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, count);
    table_add_string(table, text);
}

static bool is_right(const char *title) {
    return *title == '>';
}

/* Characters, each of which takes one place; wide ones are not known here. */
static unsigned width_of(const char *text) {
    unsigned width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void print_cell(FILE *out, const char *text, bool right, unsigned width, bool last) {
    unsigned blanks = width - width_of(text);
    if (right)
        fprintf(out, "%*s", (int)blanks, "");
    fputs(text, out);
    if (!right && !last)
        fprintf(out, "%*s", (int)blanks, "");
    fputs(last ? "\n" : "  ", out);
}

static void print_rows(const struct table *table, FILE *out) {
    unsigned widths[16] = { 0 };
    unsigned columns = table->columns;
    for (unsigned c = 0; c < columns; c++)
        widths[c] = width_of(table->titles[c] + is_right(table->titles[c]));
    for (size_t i = 0; i < table->count; i++)
        if (width_of(table->cells[i]) > widths[i % columns])
            widths[i % columns] = width_of(table->cells[i]);
    for (unsigned c = 0; c < columns; c++) {
        bool right = is_right(table->titles[c]);
        print_cell(out, table->titles[c] + right, right, widths[c], c + 1 == columns);
    }
    for (size_t i = 0; i < table->count; i++)
        print_cell(out, table->cells[i], is_right(table->titles[i % columns]), widths[i % columns],
                   i % columns + 1 == columns);
}

static void print_objects(const struct table *table) {
    for (size_t i = 0; i < table->count; i++) {
        unsigned column = (unsigned)(i % table->columns);
        const char *title = table->titles[column];
        bool number = is_right(title);
        char name[32];
        snprintf(name, sizeof name, "%s", title + number);
        for (char *c = name; *c != '\0'; c++)
            *c = (char)(*c == ' ' ? '_' : tolower((unsigned char)*c));
        if (column == 0)
            json_begin();
        if (number && table->cells[i][0] != '\0')
            json_count(name, strtoull(table->cells[i], NULL, 10));
        else
            json_string(name, table->cells[i]);
        if (column + 1 == table->columns)
            json_end();
    }
}

void table_print_to(struct table *table, FILE *out) {
    if (table->json)
        print_objects(table);
    else
        print_rows(table, out);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->count = 0;
}

static int by_first(const void *one, const void *two) {
    char *const *a = one;
    char *const *b = two;
    return strcmp(*a, *b);
}

void table_sort(struct table *table) {
    if (table->count > 0)
        qsort(table->cells, table->count / table->columns, table->columns * sizeof *table->cells,
              by_first);
}

void table_print(struct table *table) {
    table_print_to(table, stdout);
}
