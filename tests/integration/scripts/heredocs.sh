# SPDX-License-Identifier: ISC
# Here-documents, plain, quoted, indented, large, several at once.
name=world
cat <<END
hello $name $(echo and more) $((6 * 7))
END
cat <<'END'
no $expansion `here`
END
cat <<-END
	tabs go
	away
	END
cat <<A; cat <<B
first
A
second
B
while read -r line; do echo "[$line]"; done <<END
one
  two  words
three\n
END
i=0
{
	echo 'wc -c <<END'
	while [ $i -lt 3000 ]; do
		echo "line $i of a here-document larger than a pipe"
		i=$((i + 1))
	done
	echo END
} > "$WORK/large.sh"
. "$WORK/large.sh"
