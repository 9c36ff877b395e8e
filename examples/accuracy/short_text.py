"""The first characters of Python's documentation, for studies that must be short.

python examples/accuracy/short_text.py 100000 > pydoc-100k.txt
"""

import sys
from pydoc_data.topics import topics

print(end="".join(topics[name] for name in sorted(topics))[: int(sys.argv[1])])
