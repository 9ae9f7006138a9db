"""kuchipaku_training"""
