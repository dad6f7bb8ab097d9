# Takes the snippets out of markdown: awk -v into=DIRECTORY -f extract.awk FILE...
# A snippet is what stands between two fences. Its name is in a comment on the line before the first:
# <!-- snippet: NAME -->. DIRECTORY/NAME gets the snippet, less indented by what its fence is. Printed is
# a line for each: name, language and where it stands; "-" stands for a name or language that it lacks.
FNR == 1 { inside = 0; name = "-" }

!inside && /^[ >*-]*(```|~~~)/ {
    indent = match($0, /[`~]/) - 1
    fence = substr($0, indent + 1, 3)
    language = substr($0, indent + 4)
    sub(/ .*/, "", language)
    print name, language == "" ? "-" : language, FILENAME ":" FNR
    inside = 1
    next
}

inside && $1 == fence {
    if (name != "-")
        close(into "/" name)
    inside = 0
    name = "-"
    next
}

inside && name != "-" { print substr($0, indent + 1) > (into "/" name) }

!inside { name = $0 ~ /^ *<!-- snippet: [a-z_]+ -->$/ ? $3 : "-" }
