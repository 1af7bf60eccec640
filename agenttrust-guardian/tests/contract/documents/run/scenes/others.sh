# CONTRIBUTING.md, and the front page of the Guardian's crate.

#: before python3 -m venv .venv
cd "$REPOSITORY"
#: before agenttrust serve --dev                                  # in memory, under the key
agenttrust serve --database guardian.db
