# params_to_man.awk: the parameters' part of main.cf(5), from conf/params.def, put in place of the line "@PARAMETERS@"
# of the page. Run at build time, so that a cross build needs no program for the host.
#
#   awk -v QUEUEDIR=… -v RUNDIR=… -v OWNER=… -v SYSCONFDIR=… -f params_to_man.awk params.def main.cf.5.in

BEGIN {
	macro["QUEUEDIR"] = QUEUEDIR
	macro["RUNDIR"] = RUNDIR
	macro["OWNER"] = OWNER
	macro["SYSCONFDIR"] = SYSCONFDIR
	macro["HELPERDIR"] = HELPERDIR
	macro["NULL"] = ""
	split("T_STR text T_BOOL yes_or_no T_INT number T_SIZE bytes T_TIME time T_PATH path T_LIST list T_MAPS maps T_WORD word", w, " ")
	for (i = 1; i in w; i += 2)
		type_words[w[i]] = w[i + 1]
	type_words["T_BOOL"] = "yes or no"
}

FNR == NR { source = source $0 "\n"; next }

/^@PARAMETERS@$/ { read_table(); print_table(); next }

{ gsub(/@sysconfdir@/, SYSCONFDIR); print }

# ---- the table: PARAM(name, type, "default", "allowed" or NULL, "help" ...)

# The string at the front of source, without its quotes; source is left behind it.
function take_string(    out, c) {
	out = ""
	source = substr(source, 2)
	while ((c = substr(source, 1, 1)) != "\"") {
		if (c == "\\") {
			c = substr(source, 2, 1)
			if (c == "n")
				c = "\n"
			source = substr(source, 2)
		}
		out = out c
		source = substr(source, 2)
	}
	source = substr(source, 2)
	return out
}

# One argument: strings and macros beside one another. source is left behind its comma or parenthesis.
function take_argument(    out) {
	out = ""
	for (;;) {
		sub(/^[ \t\n]+/, "", source)
		if (source ~ /^"/)
			out = out take_string()
		else if (match(source, /^[A-Za-z_][A-Za-z0-9_]*/)) {
			word = substr(source, 1, RLENGTH)
			source = substr(source, RLENGTH + 1)
			out = out (word in macro ? macro[word] : word)
		} else {
			source = substr(source, 2)
			return out
		}
	}
}

function read_table(    name) {
	gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, "", source)
	while (match(source, /PARAM\(/)) {
		source = substr(source, RSTART + RLENGTH)
		name = take_argument()
		names[++count] = name
		types[name] = take_argument()
		defaults[name] = take_argument()
		alloweds[name] = take_argument()
		helps[name] = take_argument()
	}
}

# ---- the page

# A word that mdoc cannot take for a macro, an escape or punctuation of its own.
function escaped(word, at_start) {
	gsub(/\\/, "\\e", word)
	gsub(/"/, "\\(dq", word)
	return (at_start && word ~ /^[.']/ ? "\\\\&" : "") word
}

# One word of the help; names of parameters become .Va lines. column: 0 at the start of a line.
function print_word(word,    core, rest) {
	core = word
	sub(/[.,;:)]+$/, "", core)
	if (core ~ /_/ && core in types) {
		rest = substr(word, length(core) + 1)
		gsub(/./, " &", rest)
		printf "%s.Va %s%s\n", column ? "\n" : "", core, rest
		column = 0
		return
	}
	if (column && column + length(word) > 76) {
		printf "\n"
		column = 0
	}
	printf "%s%s", column ? " " : "", escaped(word, !column)
	column += length(word) + 1
}

function print_paragraph(text,    words, n, i) {
	column = 0
	n = split(text, words, /[ \n]+/)
	for (i = 1; i <= n; i++) {
		if (words[i] == "")
			continue
		print_word(words[i])
		if (column && words[i] ~ /\.\)?$/) {
			printf "\n"
			column = 0
		}
	}
	if (column)
		printf "\n"
}

function print_table(    i, j, n, name, paragraphs) {
	for (i = 2; i <= count; i++)
		for (j = i; j > 1 && tolower(names[j - 1]) > tolower(names[j]); j--) {
			name = names[j]
			names[j] = names[j - 1]
			names[j - 1] = name
		}
	for (i = 1; i <= count; i++) {
		name = names[i]
		printf ".It Va %s\n.Pq %s", name, type_words[types[name]]
		if (alloweds[name] != "" && types[name] ~ /T_INT|T_SIZE/)
			printf ", %s", alloweds[name]
		printf "; default: %s\n", escaped(defaults[name] != "" ? defaults[name] : "empty", 0)
		n = split(helps[name], paragraphs, /\n\n/)
		for (j = 1; j <= n; j++) {
			print ".Pp"
			print_paragraph(paragraphs[j])
		}
	}
}
