# Reads the output of cargo test; see ci/report.

function escape(text) {
    gsub(/[\001-\010\013\014\016-\037]/, "", text)
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    gsub(/"/, "\\&quot;", text)
    return text
}

# A test with its result; `text` is what it said, or why it was left out.
function add(test, result, text) {
    count++
    in_suite[count] = suite
    test_of[count] = test
    result_of[count] = result
    text_of[count] = text
    number_of[suite, test] = count
    had[suite, result]++
    total[result]++
}

function begin(title) {
    finish()
    suites++
    suite = title
    title_of[suites] = title
    open_suite = 1
    said = ""
}

# A test binary that crashes sums nothing up.
function finish() {
    if (open_suite)
        add("(whole binary)", "error", "it ended without a result; the last lines of the log tell more")
    open_suite = 0
    said = ""
}

BEGIN {
    split("passed failed error ignored", results)
    for (i in results)
        total[results[i]] = 0
}

/^ +Running / {
    title = $0
    sub(/^ +Running (unittests )?/, "", title)
    sub(/ \(.*\)$/, "", title)
    begin(title)
    next
}
/^ +Doc-tests / { begin("doc-tests of " $2); next }
!open_suite { next }

/^test .* \.\.\. (ok|FAILED|ignored)/ {
    test = $0
    sub(/^test /, "", test)
    match(test, / \.\.\. (ok|FAILED|ignored)/)
    word = substr(test, RSTART + 5)
    test = substr(test, 1, RSTART - 1)
    if (word ~ /^ok/)
        add(test, "passed", "")
    else if (word ~ /^FAILED/)
        add(test, "failed", "")
    else
        add(test, "ignored", substr(word, 10))
    next
}

/^---- .* stdout ----$/ {
    said = $0
    sub(/^---- /, "", said)
    sub(/ stdout ----$/, "", said)
    next
}
# The list of names below what they said.
/^failures:$/ { said = ""; next }

/^test result: / {
    match($0, /[0-9]+ passed/)
    passed = substr($0, RSTART, RLENGTH) + 0
    match($0, /[0-9]+ failed/)
    failed = substr($0, RSTART, RLENGTH) + 0
    match($0, /[0-9]+ ignored/)
    ignored = substr($0, RSTART, RLENGTH) + 0
    if (passed != had[suite, "passed"] + 0 || failed != had[suite, "failed"] + 0 || ignored != had[suite, "ignored"] + 0)
        wrong = wrong suite ": the log sums up " $0 "\n"
    if (match($0, /finished in [0-9.]+s/))
        seconds[suite] = substr($0, RSTART + 12, RLENGTH - 13)
    open_suite = 0
    said = ""
    next
}

said != "" {
    i = number_of[suite, said]
    if (i)
        text_of[i] = text_of[i] $0 "\n"
}

END {
    finish()
    if (code != 0 && total["failed"] + total["error"] == 0) {
        suites++
        suite = title_of[suites] = "cargo test"
        add("(build)", "error", "cargo ended with " code " before any test failed; see the log")
    }

    print "<?xml version=\"1.0\" encoding=\"UTF-8\"?>" > xml
    printf "<testsuites name=\"%s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\">\n", escape(name), count, total["failed"], total["error"], total["ignored"] > xml
    for (s = 1; s <= suites; s++) {
        title = title_of[s]
        tests = had[title, "passed"] + had[title, "failed"] + had[title, "error"] + had[title, "ignored"]
        printf "  <testsuite name=\"%s\" tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" time=\"%s\">\n", escape(title), tests, had[title, "failed"], had[title, "error"], had[title, "ignored"], seconds[title] + 0 > xml
        for (i = 1; i <= count; i++) {
            if (in_suite[i] != title)
                continue
            # Jenkins takes what stands before the last dot for the package.
            class = title
            gsub(/\.rs$/, "", class)
            gsub(/[^A-Za-z0-9_]+/, ".", class)
            printf "    <testcase classname=\"%s\" name=\"%s\"", escape(name "." class), escape(test_of[i]) > xml
            if (result_of[i] == "passed")
                print "/>" > xml
            else if (result_of[i] == "ignored")
                printf "><skipped message=\"%s\"/></testcase>\n", escape(text_of[i]) > xml
            else {
                element = result_of[i] == "failed" ? "failure" : "error"
                printf "><%s>%s</%s></testcase>\n", element, escape(text_of[i]), element > xml
            }
        }
        print "  </testsuite>" > xml
    }
    print "</testsuites>" > xml

    bad = total["failed"] + total["error"]
    printf "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>\n", escape(name) > html
    print "<style>body{font:15px/1.5 sans-serif;margin:2em auto;max-width:60em;padding:0 1em}td{padding:0 1em 0 0;vertical-align:top}pre{background:#f4f4f4;overflow:auto;padding:.7em}.passed{color:#197a33}.failed,.error{color:#b3261e;font-weight:bold}.ignored{color:#6a6a6a}</style>" > html
    printf "<h1>%s: <span class=\"%s\">%s</span></h1>\n", escape(name), bad ? "failed" : "passed", bad ? "failed" : "passed" > html
    printf "<p>%d tests: %d passed, %d failed, %d errors, %d ignored.</p>\n", count, total["passed"], total["failed"], total["error"], total["ignored"] > html
    for (i = 1; i <= count; i++)
        if (result_of[i] == "failed" || result_of[i] == "error")
            printf "<h3 class=\"failed\">%s: %s</h3><pre>%s</pre>\n", escape(in_suite[i]), escape(test_of[i]), escape(text_of[i]) > html
    for (s = 1; s <= suites; s++) {
        title = title_of[s]
        printf "<h2>%s</h2><p>%s</p><table>\n", escape(title), (title in seconds) ? seconds[title] " s" : "" > html
        for (i = 1; i <= count; i++)
            if (in_suite[i] == title)
                printf "<tr><td class=\"%s\">%s<td>%s\n", result_of[i], result_of[i], escape(test_of[i]) > html
        print "</table>" > html
    }
    print "</html>" > html

    if (wrong != "") {
        printf "ci/report understood other counts than the log has:\n%s", wrong > "/dev/stderr"
        exit 1
    }
    if (count == 0) {
        print "ci/report found no test in the log" > "/dev/stderr"
        exit 1
    }
}
