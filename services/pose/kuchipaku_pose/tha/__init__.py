"""The talking-head-anime networks in torch, for import and checks; serving never loads this.

Sources: github.com/pkhungurn/talking-head-anime-demo (version 1), talking-head-anime-2-demo,
talking-head-anime-3-demo and talking-head-anime-4-demo, all by Pramook Khungurn, code under MIT.
The modules here are written anew; they take the author's files under the author's key names.
"""
