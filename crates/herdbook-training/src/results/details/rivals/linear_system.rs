//! Solution of a linear system with a symmetric, positive definite matrix.

/// Solves `matrix · x = right` by Cholesky's decomposition. `matrix` has `right.len()` rows, of which only the part up to the
/// diagonal is read. `None` if the matrix is not positive definite.
pub(crate) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for row in 0..n {
        for column in 0..=row {
            let products: f64 = (0..column).map(|idx| matrix[row][idx] * matrix[column][idx]).sum();
            let rest = matrix[row][column] - products;
            if row != column {
                matrix[row][column] = rest / matrix[column][column];
            } else if rest > 0.0 {
                matrix[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    for row in 0..n {
        let known: f64 = (0..row).map(|idx| matrix[row][idx] * right[idx]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|idx| matrix[idx][row] * right[idx]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solution_fulfils_the_equations() {
        let matrix = vec![vec![4.0, 0.0, 0.0], vec![2.0, 5.0, 0.0], vec![0.4, -1.0, 3.0]];
        let found = solve(matrix, vec![1.0, 2.0, 3.0]).unwrap();
        let rows = [[4.0, 2.0, 0.4], [2.0, 5.0, -1.0], [0.4, -1.0, 3.0]];
        for (row, right) in rows.iter().zip([1.0, 2.0, 3.0]) {
            let left: f64 = row.iter().zip(&found).map(|(a, x)| a * x).sum();
            assert!((left - right).abs() < 1e-12);
        }
    }

    #[test]
    fn matrix_that_is_not_positive_definite_has_no_solution() {
        assert_eq!(solve(vec![vec![1.0, 0.0], vec![2.0, 4.0]], vec![1.0, 1.0]), None);
        assert_eq!(solve(vec![vec![f64::NAN]], vec![1.0]), None);
    }
}
