"""What a run asks the API server for, recorded, and compared with the table of rights."""
