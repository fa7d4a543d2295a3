//! The transpose of a padded matrix.

/// Side of the blocks that are turned in registers.
const SIDE: usize = 4;

/// Writes the transpose of `from`, whose rows are `width` floats, to rows of `height` floats. Both
/// widths are multiples of [`super::LINE`]; rows that `from` has not are left alone.
pub(crate) fn transpose(from: &[f32], width: usize, to: &mut [f32], height: usize) {
    for (block, rows) in from.chunks(SIDE * width).enumerate() {
        if let Some(rows) = four_rows(rows, width) {
            for (four, columns) in to.chunks_exact_mut(SIDE * height).enumerate() {
                let corner = rows.map(|row| row[four]);
                let turned: [[f32; SIDE]; SIDE] =
                    std::array::from_fn(|i| std::array::from_fn(|j| corner[j][i]));
                for (column, four) in columns.chunks_exact_mut(height).zip(turned) {
                    column[block * SIDE..][..SIDE].copy_from_slice(&four);
                }
            }
        } else {
            for (r, row) in rows.chunks_exact(width).enumerate() {
                for (column, x) in to.chunks_exact_mut(height).zip(row) {
                    column[block * SIDE + r] = *x;
                }
            }
        }
    }
}

/// The rows in blocks of four floats, if there are four rows.
fn four_rows(rows: &[f32], width: usize) -> Option<[&[[f32; SIDE]]; SIDE]> {
    (rows.len() == SIDE * width)
        .then(|| std::array::from_fn(|r| rows[r * width..][..width].as_chunks::<SIDE>().0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_for_every_number_of_rows() {
        let (width, height) = (32, 16);
        for rows in 1..=16 {
            let from: Vec<f32> = (0..rows * width).map(|i| i as f32).collect();
            let mut to = vec![-1.0; width * height];
            transpose(&from, width, &mut to, height);
            for (i, x) in to.iter().enumerate() {
                let (column, row) = (i / height, i % height);
                let want = if row < rows {
                    (row * width + column) as f32
                } else {
                    -1.0
                };
                assert!((x - want).abs() < 0.5, "row {row}, column {column}: {x}");
            }
        }
    }
}
