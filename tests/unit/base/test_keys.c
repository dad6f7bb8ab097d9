/* What keys and certificates may look like. */
#include "mesh/keyring.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

/* RFC 26's and RFC 32's own examples are of other sizes; these were made by zmq_curve_keypair(). */
static const char PUBLIC[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
static const char SECRET[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

static char directory[64];

static void make_directory(void) {
    strcpy(directory, "/tmp/wsfan-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void write_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void remove_directory(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static int read_text(wsf_certificate *certificate, const char *text) {
    return wsf_certificate_read(certificate, text, strlen(text));
}

START_TEST(a_key_is_forty_characters_of_z85_that_stand_for_bytes) {
    ck_assert(wsf_key_valid(PUBLIC, 40));
    ck_assert(wsf_key_valid("0000000000000000000000000000000000000000", 40));
    ck_assert(!wsf_key_valid(PUBLIC, 39));
    ck_assert(!wsf_key_valid("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI~", 40));
    ck_assert(!wsf_key_valid("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI\0", 40));
    ck_assert(wsf_key_valid("%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0", 40)); /* 2^32 - 1 each */
    ck_assert(!wsf_key_valid("%nSc1%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0", 40));
}
END_TEST

START_TEST(a_certificate_of_zcert_is_read) {
    wsf_certificate c;
    char text[512];
    snprintf(
        text, sizeof text,
        "#   ****  Generated on 2026-11-24 12:00:00 by CZMQ  ****\n"
        "#   ZeroMQ CURVE **Secret** Certificate\n\nmetadata\n    name = \"alpha # 1\"\n"
        "    public-key = \"not one\"\ncurve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
        PUBLIC, SECRET);
    ck_assert_int_eq(read_text(&c, text), WSFAN_OK);
    ck_assert_str_eq(c.public_key.text, PUBLIC);
    ck_assert_str_eq(c.secret_key.text, SECRET);
    snprintf(text, sizeof text, "curve\r\n\tpublic-key='%s' # ours", PUBLIC);
    ck_assert_int_eq(read_text(&c, text), WSFAN_OK);
    ck_assert_str_eq(c.public_key.text, PUBLIC);
    ck_assert_str_eq(c.secret_key.text, "");
}
END_TEST

START_TEST(what_is_no_certificate_is_refused) {
    wsf_certificate c;
    char text[512];
    ck_assert_int_eq(read_text(&c, ""), WSFAN_EKEY);
    ck_assert_int_eq(read_text(&c, "curve\n    public-key\n"), WSFAN_EKEY);
    ck_assert_int_eq(read_text(&c, "curve\n    public-key = \"short\"\n"), WSFAN_EKEY);
    snprintf(text, sizeof text, "metadata\n    public-key = \"%s\"\n", PUBLIC);
    ck_assert_int_eq(read_text(&c, text), WSFAN_EKEY);
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\n", PUBLIC); /* no end */
    ck_assert_int_eq(read_text(&c, text), WSFAN_EKEY);
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n    public-key = \"%s\"\n", PUBLIC,
             PUBLIC);
    ck_assert_int_eq(read_text(&c, text), WSFAN_EKEY);
}
END_TEST

START_TEST(a_directory_is_taken_whole_or_not_at_all) {
    static wsf_keys keys;
    char text[128];
    make_directory();
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n", PUBLIC);
    write_file("alpha", text);
    write_file("alpha-again", text); /* the same key counts once */
    write_file("alpha_secret", "not read");
    write_file(".hidden", "not read");
    ck_assert_int_eq(wsf_keys_allow_path(&keys, directory), WSFAN_OK);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert_int_eq(wsf_keys_find(&keys, PUBLIC), 0);
    ck_assert_int_eq(wsf_keys_find(&keys, SECRET), -1);
    write_file("beta", "no certificate");
    ck_assert_int_eq(wsf_keys_allow_path(&keys, directory), WSFAN_EKEY);
    remove_directory();
    ck_assert_int_eq(wsf_keys_allow_path(&keys, directory), WSFAN_EKEY);
}
END_TEST

START_TEST(a_secret_is_read_from_its_own_file_first) {
    wsf_certificate c;
    char text[256];
    char path[128];
    make_directory();
    snprintf(path, sizeof path, "%s/node", directory);
    ck_assert_int_eq(wsf_certificate_load(&c, path, true), WSFAN_EKEY);
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n", PUBLIC);
    write_file("node", text);
    ck_assert_int_eq(wsf_certificate_load(&c, path, true), WSFAN_OK);
    ck_assert_str_eq(c.secret_key.text, "");
    snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n", PUBLIC,
             SECRET);
    write_file("node_secret", text);
    ck_assert_int_eq(wsf_certificate_load(&c, path, true), WSFAN_OK);
    ck_assert_str_eq(c.secret_key.text, SECRET);
    ck_assert_int_eq(wsf_certificate_load(&c, path, false), WSFAN_OK);
    ck_assert_str_eq(c.secret_key.text, "");
    ck_assert_int_eq(wsf_certificate_load(&c, directory, false), WSFAN_EKEY); /* no file */
    remove_directory();
}
END_TEST

START_TEST(a_certificate_may_have_64_KiB_and_no_more) {
    static char text[WSF_CERTIFICATE_SIZE_MAX + 2];
    wsf_certificate c;
    char path[128];
    make_directory();
    snprintf(path, sizeof path, "%s/large", directory);
    int size = snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n", PUBLIC);
    memset(text + size, '\n', WSF_CERTIFICATE_SIZE_MAX - (size_t)size);
    write_file("large", text);
    ck_assert_int_eq(wsf_certificate_load(&c, path, false), WSFAN_OK);
    text[WSF_CERTIFICATE_SIZE_MAX] = '\n';
    write_file("large", text);
    ck_assert_int_eq(wsf_certificate_load(&c, path, false), WSFAN_EKEY);
    remove_directory();
}
END_TEST

START_TEST(so_many_keys_are_let_in_and_no_more) {
    static wsf_keys keys;
    char text[WSF_KEY_SIZE + 1];
    for (int i = 0; i < WSF_KEYS_MAX; i++) {
        snprintf(text, sizeof text, "%05d00000000000000000000000000000000000", i);
        ck_assert_int_eq(wsf_keys_allow(&keys, text), WSFAN_OK);
    }
    ck_assert_int_eq(wsf_keys_allow(&keys, text), WSFAN_OK); /* known already */
    ck_assert_int_eq(wsf_keys_allow(&keys, PUBLIC), WSFAN_ELIMIT);
    ck_assert_int_eq(wsf_keys_allow(&keys, "x"), WSFAN_EKEY);
}
END_TEST

START_TEST(a_list_is_replaced_whole_or_stays) {
    const char *list[] = { PUBLIC, SECRET };
    const char *bad[] = { PUBLIC, "no key" };
    const char *none[] = { NULL };
    wsfan_options options;
    wsf_keyring *ring;
    wsf_keys *keys;
    wsfan_options_init(&options);
    ck_assert_int_eq(wsf_keyring_open(&ring, &options), WSFAN_OK);
    ck_assert_ptr_null(ring);
    options.allow = list;
    options.allow_count = 1;
    options.key_file = "/nonexistent";
    ck_assert_int_eq(wsf_keyring_open(&ring, &options), WSFAN_EKEY);
    options.secret_key = SECRET;
    options.key_file = NULL;
    options.allow_count = WSF_KEYS_MAX + 1;
    ck_assert_int_eq(wsf_keyring_open(&ring, &options), WSFAN_ELIMIT);
    options.allow_count = 1;
    ck_assert_int_eq(wsf_keyring_open(&ring, &options), WSFAN_OK);
    strcpy(ring->own.public_key.text, SECRET); /* any valid one */
    ck_assert_int_eq(wsf_keyring_relist(ring, bad, 2, &keys), WSFAN_EKEY);
    ck_assert_int_eq(wsf_keyring_relist(ring, none, 1, &keys), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_keyring_relist(ring, NULL, 1, &keys), WSFAN_EINVAL);
    ck_assert_int_eq(wsf_keyring_relist(ring, list, WSF_KEYS_MAX + 1, &keys), WSFAN_ELIMIT);
    ck_assert_int_eq(wsf_keyring_read(ring, &keys), WSFAN_OK);
    ck_assert_uint_eq(keys->count, 2);
    wsf_keyring_free_keys(keys);
    ck_assert_int_eq(wsf_keyring_relist(ring, NULL, 0, &keys), WSFAN_OK);
    ck_assert_uint_eq(keys->count, 1);
    wsf_keyring_free_keys(keys);
    wsf_keyring_close(ring);
}
END_TEST

SUITE_MAIN("keys", a_key_is_forty_characters_of_z85_that_stand_for_bytes,
           a_certificate_of_zcert_is_read, what_is_no_certificate_is_refused,
           a_directory_is_taken_whole_or_not_at_all, a_secret_is_read_from_its_own_file_first,
           a_certificate_may_have_64_KiB_and_no_more, so_many_keys_are_let_in_and_no_more,
           a_list_is_replaced_whole_or_stays)
