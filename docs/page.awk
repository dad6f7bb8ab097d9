# A page of the manuals: HTML of cmark-gfm on standard input, of the source SOURCE, becomes the page PAGE.
#   awk -v source=docs/x.md -v page=docs/x.html -v version=1.2.3 -v pages="docs/x.md=docs/x.html ..." -f page.awk
# Headings get the ids that links of Markdown expect. Links between sources become links between pages, those to headers
# lead into the reference, and those to what is not installed are text alone.
BEGIN {
    count = split(pages, list, " ")
    for (i = 1; i <= count; i++) {
        split(list[i], pair, "=")
        page_of[pair[1]] = pair[2]
    }
    up = folder(page)
    gsub(/[^\/]+\//, "../", up)
}

function folder(path) {
    return match(path, /^.*\//) ? substr(path, 1, RLENGTH) : ""
}

# normal PATH: without . and ..
function normal(path, parts, kept, count, n, i, result) {
    count = split(path, parts, "/")
    for (i = 1; i <= count; i++) {
        if (parts[i] == "..")
            n--
        else if (parts[i] != "." && parts[i] != "")
            kept[++n] = parts[i]
    }
    for (i = 1; i <= n; i++)
        result = result (i > 1 ? "/" : "") kept[i]
    return result
}

# place PATH: where the thing at PATH of the sources is among the pages; nothing where it is not installed
function place(path, name) {
    if (path in page_of)
        return page_of[path]
    if (path == "include/wsfan")
        return "reference/files.html"
    if (path ~ /^include\/wsfan\/[a-z]+\.h$/) {
        name = path
        gsub(/^.*\/|\.h$/, "", name)
        return "reference/" name "_8h.html"
    }
    return path ~ /^examples(\/|$)|^docs\/[a-z-]+\.(svg|png)$/ ? path : ""
}

# target LINK: the same for what a link says
function target(link, path, part) {
    if (link ~ /^([a-z]+:|#)/)
        return link
    part = match(link, /#.*/) ? substr(link, RSTART) : ""
    path = place(normal(folder(source) substr(link, 1, length(link) - length(part))))
    return path != "" ? up path part : ""
}

function slug(text) {
    gsub(/<[^>]*>/, "", text)
    gsub(/&[a-z]+;/, "", text)
    text = tolower(text)
    gsub(/[^a-z0-9 _-]/, "", text)
    gsub(/ /, "-", text)
    return text
}

# linked LINE: the line with the links of a page. `dropped` says that the end of a link is to go, which may be on a later line.
function linked(line, result, link) {
    while (match(line, /<a href="[^"]*">|<\/a>|<img src="[^"]*"/)) {
        result = result substr(line, 1, RSTART - 1)
        link = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (link == "</a>") {
            result = result (dropped ? "" : link)
            dropped = 0
        } else {
            split(link, part, "\"")
            link = target(part[2])
            dropped = link == "" && part[1] ~ /^<a/
            result = result (dropped ? "" : part[1] "\"" link "\"" part[3])
        }
    }
    return result line
}

/^<!-- .* -->$/ { next }
/^<h[1-6]>/ {
    id = slug($0)
    sub(/>/, " id=\"" id (used[id]++ ? "-" used[id] - 1 : "") "\">")
}
/^<h1 / && title == "" {
    title = $0
    gsub(/<[^>]*>/, "", title)
}
{ body = body linked($0) "\n" }

END {
    print "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
    print "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    print "<title>" title "</title>\n<link rel=\"stylesheet\" href=\"" up "page.css\">\n</head>\n<body>"
    print "<nav><a href=\"" up "index.html\">libwsfan " version "</a></nav>\n<main>"
    printf "%s</main>\n</body>\n</html>\n", body
}
