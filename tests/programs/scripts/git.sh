# SPDX-License-Identifier: ISC
# git on a repository of thirty commits: clone, branch, merge, gc, fsck, push, blame, bundle.
# program: git
# packages: git coreutils
# timeout: 120
set -e
export GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_DATE='2024-01-02T03:04:05Z' GIT_COMMITTER_DATE='2024-01-02T03:04:05Z'
git config --global user.name Someone
git config --global user.email someone@example.org
git config --global init.defaultBranch main
git init -q origin
cd origin
i=0
while [ $i -lt 30 ]; do
	mkdir -p d$((i % 5))
	seq $i $((i + 50)) > d$((i % 5))/f$i
	git add .
	git commit -q -m "commit $i"
	i=$((i + 1))
done
git log --oneline | head -5
git tag v1
cd ..
git clone -q origin copy
git clone -q --no-local origin copy2
cd copy
git log --format='%H %an %s' | md5sum
git checkout -q -b side
echo changed > d0/f0
git commit -q -am side
git checkout -q main
echo other > d1/f1
git commit -q -am other
git merge -q -m merged side
git log --graph --oneline | head -8
git gc -q
git count-objects -v | grep -v size
git fsck --full
git diff HEAD~1 --stat
git push -q origin main:pushed
git -C ../origin branch
git status --short
git grep -c 20 | head -5
git archive HEAD | md5sum
git rev-list --all | wc -l
git blame d0/f0 | head -2
echo work > d2/new
git stash -q -u
git stash list
git stash pop -q
git status --short
git checkout -q -b rebased v1
echo r > r
git add r
git commit -q -m r
git rebase -q main
git log --oneline | head -3
git bundle create -q ../all.bundle --all
git clone -q ../all.bundle ../copy3
git -C ../copy3 log --oneline main | head -1
git format-patch -1 --stdout | git -C ../copy2 am -q
git -C ../copy2 log --format=%s | head -1
git repack -q -a -d -f
git verify-pack -v .git/objects/pack/*.idx | tail -1 | cut -d: -f2
git bisect start -q HEAD v1~10 >/dev/null
git bisect run sh -c '! test -f d0/f25' | tail -2 | head -1
