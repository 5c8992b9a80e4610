"""What if: variants of the rules by seasons that might come, solved many times before the rules are published.

Read `drawing` (seasons drawn from applicants of one), `past` (applicants of an earlier season at this one's sites),
`study` (what is solved, and by how many processes) and `distributions` (what many runs come to), in this order.
"""
